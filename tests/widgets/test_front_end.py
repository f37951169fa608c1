"""The files of JavaScript, put together."""

from course_utils.widgets import Explorer
from course_utils.widgets.front_end import module, page_module, style, worker, write_front_end


def test_a_notebook_gets_one_module():
    assert Explorer._esm == module()
    assert Explorer._css == style()
    assert module().count("export default") == 1
    assert "course-place" not in module()


def test_a_page_gets_three_files_without_comments(tmp_path):
    names = write_front_end(tmp_path / "new")
    assert sorted(names) == sorted(file.name for file in (tmp_path / "new").iterdir())
    script = (tmp_path / "new" / "explorers.js").read_text()
    lines = (module() + page_module()).splitlines()
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("//")]
    assert script.splitlines() == kept
    assert "course-first" in (tmp_path / "new" / "explorers.css").read_text()


def test_no_template_of_javascript_spans_lines():  # write_front_end strips each line
    for line in (module() + page_module() + worker()).splitlines():
        assert line.strip().startswith("//") or line.count("`") % 2 == 0, line
