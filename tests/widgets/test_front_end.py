"""The files of JavaScript, put together."""

import json

from course_utils.widgets import Explorer, front_end
from course_utils.widgets.front_end import decoder, module, read, style, write_front_end
from course_utils.widgets.spec import CONTRACT


def test_a_notebook_gets_one_module():
    assert Explorer._esm == module()
    assert Explorer._css == style()
    assert module().count("export default") == 1
    assert "course-place" not in module()
    assert "plainKernel" in decoder()
    assert "plainKernel" not in module(), "the page's back end travels when it may be needed"


def test_a_page_gets_three_files_without_comments(tmp_path):
    names = write_front_end(tmp_path / "new")
    assert sorted(names) == sorted(file.name for file in (tmp_path / "new").iterdir())
    script = (tmp_path / "new" / "explorers.js").read_text()
    lines = (read(*front_end.MODULES) + decoder() + read(*front_end.PAGE)).splitlines()
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("//")]
    assert script.splitlines() == [f"const CONTRACT = {json.dumps(CONTRACT)};", *kept]
    assert "kernelSource" not in script
    assert "course-first" in (tmp_path / "new" / "explorers.css").read_text()


def test_no_template_of_javascript_spans_lines():  # write_front_end strips each line
    parts = (*front_end.MODULES, "kernel", *front_end.PAGE, "page/decoder", "page/stand_in", "page/worker")
    for line in read(*parts).splitlines():
        assert line.strip().startswith("//") or line.count("`") % 2 == 0, line
