"""What Sphinx is asked on the way: scripts only where an explorer stands, and words for every figure."""

from docutils import nodes

NOT_FIRST = ("doctools.js", "sphinx_highlight.js", "documentation_options.js")


def number_figures(app, doctree) -> None:
    """Where one cell has several figures its text alone would not tell them apart; a figure without one is refused."""
    for cell in doctree.findall(lambda node: "cell_output" in getattr(node, "attributes", {}).get("classes", ())):
        figures = list(cell.findall(nodes.image))
        for k, figure in enumerate(figures if len(figures) > 1 else (), start=1):
            figure["alt"] = f"{figure.get('alt', '')} (figure {k} of {len(figures)})"
    for figure in doctree.findall(nodes.image):
        if not figure.get("alt"):
            raise ValueError(f"{app.env.docname}: a figure has no alternative text: {figure['uri']}")


def add_scripts(app, pagename, templatename, context, doctree) -> None:
    """The explorers' script and style, on the pages that have a place for one; what no page but a lesson needs, there.

    Sphinx's scripts for marking what was searched for, and MyST-NB's style of cells, would cost the first screen time.
    """
    if 'class="course-place"' in context.get("body", ""):
        app.add_css_file("explorers/explorers.css")
        app.add_js_file("explorers/explorers.js", type="module")
    if pagename == "index":  # after these two, which Sphinx adds to the lists that are replaced here
        context["script_files"] = [one for one in context["script_files"] if not _is(one, *NOT_FIRST)]
        context["css_files"] = [one for one in context["css_files"] if not _is(one, "mystnb", "formulas.css")]


def _is(asset, *names: str) -> bool:
    return any(name in str(getattr(asset, "filename", asset)) for name in names)


def setup(app):
    """Sphinx calls this."""
    app.connect("doctree-read", number_figures)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
