"""The benchmark of the faces."""

from helpers import benchmark


def test_faces_are_measured_at_every_size_and_reported_as_medians():
    with benchmark("faces") as faces:
        speeds = faces.measure(2, {16: 3, 24: 2})
        assert [(size, len(of_size)) for size, of_size in speeds.items()] == [(16, 2), (24, 2)]
        assert min(map(min, speeds.values())) > 0
        assert "| 32 x 32 | 3,000 | 9,000 |" in faces.table({32: [9000.0, 3000.0, 1000.0]})
