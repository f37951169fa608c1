"""Formulas as MathML, written when the book is built: nothing of it runs in the page, and nothing is fetched."""

import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", NAMESPACE)
# Browsers know of letters in other alphabets as letters of their own only: where capitals, small letters and digits
# begin, and the few that had a place in Unicode before.
ALPHABETS = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE),
    "bold-italic": (0x1D468, 0x1D482, None),
    "script": (0x1D49C, 0x1D4B6, None),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8),
    "fraktur": (0x1D504, 0x1D51E, None),
    "sans-serif": (0x1D5A0, 0x1D5BA, 0x1D7E2),
    "monospace": (0x1D670, 0x1D68A, 0x1D7F6),
}
OLDER = {
    "script": dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True)),
    "double-struck": dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)),
    "fraktur": dict(zip("CHIRZ", "ℭℌℑℜℨ", strict=True)),
}
KNOWN = {r"\arg": r"\operatorname{arg}"}  # what latex2mathml lacks


def letters(text: str, alphabet: str) -> str:
    """A text in another alphabet of mathematics.

    >>> letters("N(2)", "double-struck"), letters("LN", "script")
    ('ℕ(𝟚)', 'ℒ𝒩')
    """
    starts = zip("Aa0", (26, 26, 10), ALPHABETS[alphabet], strict=True)
    table = {ord(first) + k: at + k for first, count, at in starts if at for k in range(count)}
    return text.translate(table | {ord(old): new for old, new in OLDER.get(alphabet, {}).items()})


def mathml(tex: str, *, display: bool = False) -> str:
    r"""A formula of the lessons as MathML.

    Args:
        tex: What stands between the dollars.
        display: Whether it stands in a line of its own.

    Returns:
        One ``<math>`` element. Its attribute ``alttext`` has the TeX, for readers that know no MathML.

    Raises:
        ValueError: It cannot be converted; the message has the formula.

    Example:
        >>> mathml(r"\mathcal N").partition("alttext")[2]
        '="\\mathcal N"><mrow><mi>𝒩</mi></mrow></math>'
    """
    tex = " ".join(tex.split())
    try:
        known = re.sub(r"\\[A-Za-z]+", lambda match: KNOWN.get(match[0], match[0]), tex)
        root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
    except Exception as error:  # latex2mathml has about twenty kinds
        raise ValueError(f"the formula {tex!r} cannot be converted: {type(error).__name__} {error}") from error
    for element in root.iter():
        if left := re.search(r"\\[A-Za-z]+", element.text or ""):
            raise ValueError(f"the formula {tex!r} has {left[0]}, which latex2mathml does not know")
        if element.get("mathvariant") in ALPHABETS:
            element.text = letters(element.text or "", element.attrib.pop("mathvariant"))
    root.set("alttext", tex)
    return ElementTree.tostring(root, encoding="unicode")


def words(tex: str) -> str:
    r"""What of a formula can stand in a plain text, as in the alternative text of a figure.

    >>> words(r"q(z \mid x)")
    'q(z∣x)'
    """
    return "".join(part.strip() for part in ElementTree.fromstring(mathml(tex)).itertext())


def _inline(translator, node):
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(translator, node):
    # A long formula is scrolled in its own box; the keyboard can reach it.
    formula = mathml(node.astext(), display=True)
    translator.body.append(
        f'<div class="course-formula" role="group" aria-label="formula" tabindex="0">{formula}</div>'
    )
    raise nodes.SkipNode


def setup(app):
    """Sphinx calls this: formulas of the book are written by the functions above."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
