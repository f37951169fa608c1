"""A strict Content-Security-Policy on a page: what stands inline as script or style moves into files."""

import base64
import hashlib
import re
from pathlib import Path

POLICY = (  # 'wasm-unsafe-eval' is for the explorers' kernel alone: it lets no text be run as a script
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "style-src-elem 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)
CHARSET = '<meta charset="utf-8">'
INLINE = re.compile(r"(?s)<(?P<tag>script|style)(?P<attributes>[^>]*)>(?P<text>.*?)</(?P=tag)>")
ADDRESS = re.compile(r"\ssrc\s*=")
DATA = re.compile(r"""\stype\s*=\s*["'](?!text/javascript|module)""")  # a block of data is never run
HANDLER = re.compile(r"<[a-z][^<>]*\s(on[a-z]+)\s*=")


def policy(value: str = POLICY) -> str:
    """The policy as an element of a page's head; it holds for all that comes after it."""
    return f'<meta http-equiv="Content-Security-Policy" content="{value}">'


def allowed(text: str) -> str:
    """The source expression of a policy that allows just this inline script or style.

    >>> allowed("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def strict(page: str, to_root: str) -> tuple[str, dict[str, str]]:
    """A page with the policy, and without anything inline that it would forbid.

    Args:
        page: HTML.
        to_root: Where the book's folder is, seen from the page: "", "../", ...

    Returns:
        The page, and the files that it now asks for: their texts by their paths in the book.

    Raises:
        ValueError: It has an event handler inline, or no ``<meta charset>`` to put the policy behind.

    Example:
        >>> page, files = strict('<meta charset="utf-8"><script>let a = 1;</script>', "../")
        >>> page.endswith('<script src="../_static/inline-c58e9029f1.js"></script>'), list(files.values())
        (True, ['let a = 1;'])
    """
    files = {}

    def moved(match):
        tag, attributes, text = match["tag"], match["attributes"], match["text"]
        if ADDRESS.search(attributes) or DATA.search(attributes) or not text.strip():
            return match[0]
        kind = "js" if tag == "script" else "css"
        path = f"_static/inline-{hashlib.sha256(text.encode()).hexdigest()[:10]}.{kind}"
        files[path] = text
        if tag == "style":
            return f'<link rel="stylesheet" href="{to_root}{path}">'
        return f'<script{attributes} src="{to_root}{path}"></script>'

    page = INLINE.sub(moved, page)
    if handler := HANDLER.search(re.sub(r"(?s)<(script|pre)\b.*?</\1>", "", page)):
        raise ValueError(f"an event handler stands inline: {handler[0][:80]}")
    if CHARSET not in page:
        raise ValueError(f"the page has no {CHARSET}")
    return page.replace(CHARSET, CHARSET + policy(), 1), files


def for_everybody(page: str) -> str:
    """A page with what Sphinx's own pages lack for readers who use no eyes, or no mouse.

    Its captions say that they are headings, and not of which level; long lines of code are scrolled, which the keyboard
    has to reach.

    >>> for_everybody('<p class="caption" role="heading">A</p><pre>b</pre>')
    '<p class="caption" role="heading" aria-level="2">A</p><pre tabindex="0">b</pre>'
    """
    return page.replace('role="heading">', 'role="heading" aria-level="2">').replace("<pre>", '<pre tabindex="0">')


def make_strict(book: Path) -> None:
    """Make every page of a book strict, and a page for everybody."""
    files = {}
    for path in sorted(book.rglob("*.html")):
        page, moved = strict(
            for_everybody(path.read_text(encoding="utf-8")), "../" * (len(path.relative_to(book).parts) - 1)
        )
        path.write_text(page, encoding="utf-8")
        files |= moved
    for name, text in files.items():
        (book / name).write_text(text, encoding="utf-8")
