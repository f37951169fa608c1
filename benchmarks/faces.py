"""How many faces a second the renderer draws on the CPU, at 32 x 32 and at 64 x 64 pixels.

    python benchmarks/faces.py [--rounds 9] [--threads 2]

Draws random faces with `faces.render_faces`, as a data set is made: 4,096 at 32 pixels, 1,024 at 64. The sizes take
turns, so that a busy machine slows both. Prints a markdown table of medians, with the fastest round beside each.
"""

import argparse
import statistics
import time

import torch

from course_utils.data.faces import render_faces, sample_handles

COUNTS = {32: 4096, 64: 1024}  # images a round, by size


def speed(size: int, count: int) -> float:
    """Images a second in one round."""
    handles = sample_handles(count, generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    render_faces(handles, size)
    return count / (time.perf_counter() - start)


def measure(rounds: int, counts: dict[int, int] = COUNTS) -> dict[int, list[float]]:
    """Images a second of every round, by size."""
    for size in counts:
        speed(size, 64)  # the first call computes the grid
    speeds = {size: [] for size in counts}
    for _ in range(rounds):
        for size, count in counts.items():
            speeds[size].append(speed(size, count))
    return speeds


def table(speeds: dict[int, list[float]]) -> str:
    rows = ["| pixels | images a second, median | fastest round |", "|---:|---:|---:|"]
    rows += [f"| {size} x {size} | {statistics.median(s):,.0f} | {max(s):,.0f} |" for size, s in speeds.items()]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each size")
    parser.add_argument("--threads", type=int, default=2, help="threads that torch may use")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(table(measure(options.rounds)))
    print(f"\n{torch.get_num_threads()} threads.")


if __name__ == "__main__":
    main()
