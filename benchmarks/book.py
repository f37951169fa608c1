"""Measure the book: how long it takes to build, how large it is, when its first screen can be dragged, and what each
movement of an explorer costs.

uv run benchmarks/book.py                    build it, and print the tables
uv run benchmarks/book.py --update-readme    and put them into the README, between the book's marks
uv run benchmarks/book.py --book DIR         of a book that is there: all but the time to build it

Bytes are those that the browser asks for until the first explorer answers, as a web server sends them: texts
compressed by gzip, everything else as it is. Times are medians, from the start of the navigation on a server on this
machine, with the processor as it is and slowed four times. A movement is timed from the key, as the browser dates it,
until the new pictures are drawn. The browser shows them with its next frame, for which it waits up to 16 ms; so beside
it stands the processor time of the page's thread for all of a movement, its key and its frame, in which other windows
and waiting do not count. All of it is done by the page itself: a worker would not be slowed down with it.
"""

import argparse
import gzip
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import run

from course_utils.command import site
from course_utils.files import write_atomically

TEXTS = (".html", ".css", ".js", ".svg", ".json")
GOALS = {"seconds to build": 120, "MB of the whole book": 60, "kB until the first explorer is live": 120,
         "seconds until then": 0.5, "the same, processor slowed four times": 1.5}  # fmt: skip
MOST = 16  # milliseconds an event on the slowed processor
SLOWED = 4  # times
EVENTS, BEFORE = 20, 5  # of each explorer; those before them warm it up
README = run.README
REGION = re.compile(r"(<!-- book:begin(?: [^\n]*)? -->\n).*?(<!-- book:end -->)", re.DOTALL)
LIVE = "performance.getEntriesByName('course:faces:live')[0]?.startTime"
KEYS = "addEventListener('keydown', (event) => performance.mark('key', { startTime: event.timeStamp }), true);"
DRAWN = """(name) => performance.getEntriesByName(`course:${name}:drawn`).map(({ startTime, duration }) => {
    const keys = performance.getEntriesByName("key").filter((key) => key.startTime <= startTime);
    return keys.length ? startTime + duration - keys.at(-1).startTime : null;
})"""
PAINTED = """([name, before]) => new Promise((done) => { // one more drawn, and a frame with it; or nothing for 200 ms
    const look = (tries) => {
        const drawn = performance.getEntriesByName(`course:${name}:drawn`).length > before;
        if (drawn) requestAnimationFrame(() => setTimeout(done));
        else if (tries) setTimeout(look, 5, tries - 1);
        else done();
    };
    look(40);
})"""


def compressed(path: Path) -> int:
    """How many bytes a server sends for a file."""
    data = path.read_bytes()
    return len(gzip.compress(data, 6)) if path.suffix in TEXTS else len(data)


def size(book: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in book.rglob("*") if path.is_file())


def first_screen(browser, book: Path, *, slowed: float = 1, rounds: int = 5) -> tuple[list[Path], list[float]]:
    """What was asked for until the first explorer was live, in the last round; and the seconds until then, each round.

    Args:
        browser: A browser of playwright.
        book: The folder of the book.
        slowed: How many times slower the processor is to be.
        rounds: Visits, each with an empty memory.
    """
    seconds = []
    with site.serving(book, 0) as address:
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
            page.goto(f"{address}index.html", wait_until="commit")
            while (live := page.evaluate(LIVE)) is None:  # wait_for_function evaluates a text, which the policy forbids
                page.wait_for_timeout(20)
            seconds.append(live / 1000)
            before = page.evaluate(
                "(at) => performance.getEntriesByType('resource').filter((one) => one.startTime < at)"
                ".map((one) => one.name)",
                1000 * seconds[-1],
            )
            page.locator('.course-place[data-state="ready"]').wait_for()
            context.close()
    names = {url.removeprefix(address).partition("?")[0] for url in [f"{address}index.html", *before]}
    return sorted(book / name for name in names if (book / name).is_file()), seconds


def movements(browser, address: str, name: str, *, slowed: float = 1) -> tuple[list[float], float]:
    """What the movements of one explorer take, which stands alone on its page.

    Args:
        browser: A browser of playwright.
        address: Of the book.
        name: Of the explorer.
        slowed: How many times slower the processor is to be.

    Returns:
        Milliseconds of each movement from the key until it is drawn; and on the average of them the milliseconds of
        processor time that the page's thread takes for all of it.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(KEYS)
    page.route("**/explorer-worker.js", lambda route: route.abort())
    page.goto(f"{address}gallery/{name}-full.html")
    page.locator('.course-place[data-state="ready"]').wait_for()
    browser_side = page.context.new_cdp_session(page)
    browser_side.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    browser_side.send("Performance.enable", {"timeDomain": "threadTicks"})
    pad, place = page.locator(".course-pad"), page.locator(".course-explorer")
    control = pad if pad.count() else page.locator(".course-range").first
    # on a map of images only Enter decodes; a slider that stands at its end moves at every second key
    keys = ["Enter"] if "course-map-explorer" in place.get_attribute("class") else ["ArrowRight", "ArrowLeft"]
    control.focus()
    before = count = len(page.evaluate(DRAWN, name))
    worked, at = None, count
    for k in range(4 * (BEFORE + EVENTS)):
        if count - before >= BEFORE and worked is None:
            worked, at = _worked(browser_side), count
        page.keyboard.press(keys[k % len(keys)])
        page.evaluate(PAINTED, [name, count])
        found = page.evaluate(DRAWN, name)
        count = len(found)
        if count - before >= BEFORE + EVENTS:
            break
    else:
        raise RuntimeError(f"{name} has drawn {count - before} times: its control is not moved by {keys}.")
    work = (_worked(browser_side) - worked) / (count - at)
    page.close()
    return found[before + BEFORE :], work


def _worked(browser_side) -> float:
    """Milliseconds of processor time that the page's thread has taken so far."""
    metrics = browser_side.send("Performance.getMetrics")["metrics"]
    return 1000 * next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def table(figures: dict[str, float]) -> str:
    """The figures as Markdown, each beside its goal."""
    rows = [f"| {name} | {value:.3g} | {GOALS[name]:g} |" for name, value in figures.items()]
    return "\n".join(["| the book | measured | at most |", "|---|---:|---:|", *rows])


def events_table(events: dict[str, tuple[tuple[float, float], tuple[float, float]]]) -> str:
    """What an event of each explorer takes as Markdown: until it is drawn, and in all; as it is, and slowed."""
    slowed = f"slowed {SLOWED} times"
    head = f"| explorer | ms until drawn | {slowed} | at most | ms of work in all | {slowed} |"
    rows = [
        f"| {name} | {quick:.1f} | {slow:.1f} | {MOST} | {work:.1f} | {slow_work:.1f} |"
        for name, ((quick, work), (slow, slow_work)) in events.items()
    ]
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *rows])


def measure(
    book: Path, seconds: float | None = None
) -> tuple[dict[str, float], list[tuple[str, int]], dict[str, tuple[tuple[float, float], tuple[float, float]]]]:
    """All figures of a book, the bytes of each file of the first screen, and what the explorers' movements cost."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        files, quick = first_screen(browser, book)
        _, slow = first_screen(browser, book, slowed=SLOWED)
        names = sorted(page.name.removesuffix("-full.html") for page in (book / "gallery").glob("*-full.html"))
        with site.serving(book, 0) as address:

            def event(name: str, rate: float) -> tuple[float, float]:
                times, work = movements(browser, address, name, slowed=rate)
                return statistics.median(times), work

            events = {name: tuple(event(name, rate) for rate in (1, SLOWED)) for name in names}
        browser.close()
    sizes = [(path.relative_to(book).as_posix(), compressed(path)) for path in files]
    values = (seconds, size(book) / 1e6, sum(n for _, n in sizes) / 1e3, *map(statistics.median, (quick, slow)))
    figures = {name: value for name, value in zip(GOALS, values, strict=True) if value is not None}
    return figures, sorted(sizes, key=lambda one: -one[1]), events


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", type=Path, metavar="DIR", help="a book that is there")
    parser.add_argument("--update-readme", action="store_true", help="put the tables into README.md")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        book, seconds = options.book, None
        if book is None:
            book = Path(folder, "book")
            seconds = site.build(book).seconds
        figures, sizes, events = measure(book, seconds)
    content = f"{table(figures)}\n\n{events_table(events)}\n\n{run.machine()}"
    print(f"{content}\n\nThe first screen:")
    print("\n".join(f"{n / 1000:8.1f} kB  {name}" for name, n in sizes))
    if options.update_readme:
        write_atomically(README, run.updated(README.read_bytes().decode(), content, REGION, "book").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
