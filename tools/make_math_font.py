"""Make the book's font of mathematics again: those letters and signs of Latin Modern Math that formulas use.

    uv run tools/make_math_font.py /usr/share/texmf/fonts/opentype/public/lm-math/latinmodern-math.otf

Debian has the font in the package fonts-lmodern. Its licence (site/static/fonts/GUST-FONT-LICENSE.txt) allows this and
asks that what was changed has another name: the result is called Course Math.
"""

import argparse
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

NAME = "Course Math"
OUT = Path(__file__).resolve().parents[1] / "site" / "static" / "fonts" / "course-math.woff"
LETTERS = [
    range(0x20, 0x7F), range(0xAC, 0xB8), [0xD7, 0xF7, 0x2D9], range(0x302, 0x308), [0x20D7],
    range(0x393, 0x3F6),  # Greek
    range(0x2010, 0x2045), range(0x210A, 0x2132), [0x2102, 0x2115, 0x2119, 0x211A, 0x211D, 0x2124],
    range(0x2190, 0x2196), [0x21A6], range(0x21D0, 0x21D5), range(0x2200, 0x2266), [0x226A, 0x226B, 0x22A4, 0x22A5],
    [0x22C5, *range(0x22EE, 0x22F2)], range(0x2308, 0x230C), [0x23DE, 0x23DF, 0x27E8, 0x27E9],
    range(0x1D400, 0x1D434),  # bold
    range(0x1D434, 0x1D468),  # italic: browsers draw a single letter so
    range(0x1D49C, 0x1D4B6), range(0x1D538, 0x1D552), range(0x1D670, 0x1D6A4),  # script, double-struck, monospace
    range(0x1D6A4, 0x1D6A6), range(0x1D6FC, 0x1D71C),  # dotless i and j, Greek italic
]  # fmt: skip


def make(source: Path) -> bytes:
    """The font with the letters above, as the bytes of a WOFF file."""
    options = subset.Options(hinting=False, desubroutinize=True, layout_features=["dtls", "flac"], drop_tables=["FFTM"])
    options.flavor, options.recalc_timestamp = "woff", False
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for some in LETTERS for code in some])
    subsetter.subset(font)
    rename(font)
    target = OUT.with_suffix(".new")
    subset.save_font(font, target, options)
    data = target.read_bytes()
    target.unlink()
    return data


def rename(font: TTFont) -> None:
    """Call it by another name everywhere, as the licence asks."""
    postscript = NAME.replace(" ", "")
    for record in font["name"].names:
        if record.nameID in (1, 4, 16):
            record.string = NAME
        elif record.nameID in (3, 6):
            record.string = postscript
    top = font["CFF "].cff
    top.fontNames[0] = postscript
    top.topDictIndex[0].FullName, top.topDictIndex[0].FamilyName = NAME, NAME


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="latinmodern-math.otf")
    OUT.write_bytes(make(parser.parse_args().source))
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB")
