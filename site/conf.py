"""How Sphinx makes the book. `course site` calls it, with the sources that site/sources.py has written."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
course = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]

project = "Latent spaces"
html_title = "Latent spaces"
language = "en"
copyright = "the authors of the course: texts and pictures CC BY 4.0, code MIT"
extensions = ["myst_nb", "formulas", "places"]
exclude_patterns = ["_static"]

nb_execution_mode = "off"  # the lessons were executed when they were built
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}  # an explorer in the book has a script of its own
nb_merge_streams = True
nb_number_source_lines = False
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "furo"
html_math_renderer = "mathml"
html_css_files = ["book.css", "formulas.css"]
html_favicon = str(HERE / "static" / "favicon.svg")
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": False}
if "OWNER/REPO" not in course["address"]:
    html_theme_options |= {
        "footer_icons": [{"name": "Source", "url": course["address"], "html": "Source", "class": ""}]
    }
