"""The book in a real browser: on a desktop and on a phone, in light and in dark, without a script, and as one file.

All lessons, all explorers of the gallery and of the lessons. Screenshots are left among the artifacts.
"""

import contextlib
import importlib.resources
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers import benchmark

from course_utils.command import site
from course_utils.command.lessons import load_lessons

pytestmark = pytest.mark.slow_because("makes a book, and opens it in a real browser")

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
SCREENS = {"desktop": DESKTOP, "phone": PHONE}
LESSONS = [f"lessons/{one.number}_{one.slug}.html" for one in load_lessons()]
PAGES = ["index.html", "gallery/index.html", "gallery/faces.html", "gallery/faces-full.html",
         "glossary.html", "copyright.html", "search.html"]  # fmt: skip
LONG = (LESSONS[4], "glossary.html")  # axe takes most of a minute; the colours of the scheme are looked at elsewhere
FOR_AXE = ["index.html", LESSONS[0], LONG[0], "gallery/index.html", "gallery/faces-full.html", LONG[1], "search.html"]
CONTROL = "canvas[tabindex], [role=application], [role=slider], input[type=range]"
READY = ".course-place[data-state=ready]"
WIDER = """() => [...document.querySelectorAll('body *')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !one.closest('.sidebar-drawer, .toc-drawer, svg')
      && ![...parents(one)].some((each) => /auto|scroll|hidden/.test(getComputedStyle(each).overflowX));
    function* parents(node) { for (let at = node.parentElement; at; at = at.parentElement) yield at; }
  }).slice(0, 3).map((one) => one.outerHTML.slice(0, 120))"""


@dataclass
class Visit:
    """An open page, and what it has done that it should not."""

    page: object
    faults: list[str] = field(default_factory=list)

    def is_live(self, seconds: float = 60):
        self.page.locator(READY).first.wait_for(timeout=1000 * seconds)


def until(page, expression: str, seconds: float = 30) -> None:
    """Wait until it is true. (Playwright's own way evaluates a text in the page, which the policy forbids.)"""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not true in {seconds} s: {expression}"
        page.wait_for_timeout(50)


@pytest.fixture(scope="module")
def address(book):
    with site.serving(book, 0) as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """A function that opens a page of the book and notes errors, and each request that leaves this machine."""
    with contextlib.ExitStack() as stack:

        def open_page(path: str, screen: str = "desktop", scheme: str = "light", before=None, **options) -> Visit:
            context = browser.new_context(color_scheme=scheme, **SCREENS[screen], **options)
            stack.callback(context.close)
            made = Visit(context.new_page())
            page, faults = made.page, made.faults
            page.on("console", lambda said: said.type in ("error", "warning") and faults.append(said.text))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
            page.on(
                "request",
                lambda request: (
                    not request.url.startswith((address, "data:", "file:")) and faults.append(f"left: {request.url}")
                ),
            )
            if before:
                before(page)
            page.goto(path if "://" in path else address + path)
            return made

        yield open_page


@pytest.fixture(params=[("desktop", "light"), ("phone", "dark")], ids="-".join)  # no size depends on the scheme
def look(request):
    return request.param


def test_every_page_fits_its_screen_and_asks_nobody_else(visit, look, artifacts):
    screen, scheme = look
    for path in PAGES:
        opened = visit(path, screen, scheme)
        page = opened.page
        if page.locator(".course-place").count():
            opened.is_live()
        page.wait_for_timeout(300)
        is_fine(opened, path, screen)
        assert path == "search.html" or page.locator("h1").count() == 1, path  # Furo heads its search by script
        name = path.removesuffix(".html").replace("/", "-")
        page.screenshot(path=artifacts / f"site-{name}-{screen}-{scheme}.png")
        page.context.close()


def is_fine(opened: Visit, path: str, screen: str) -> None:
    """No errors, no request to elsewhere, and nothing wider than the screen."""
    assert opened.faults == [], path
    width = SCREENS[screen]["viewport"]["width"]
    wide = opened.page.evaluate("document.documentElement.scrollWidth") > width
    assert not wide, (path, opened.page.evaluate(WIDER))


@pytest.mark.parametrize("path", LESSONS)
def test_every_lesson_fits_its_screen_and_each_of_its_explorers_can_be_moved(visit, look, path, artifacts):
    screen, scheme = look
    opened = visit(path, screen, scheme)
    page, number = opened.page, path.partition("/")[2][:2]
    assert page.locator("h1").count() == 1
    for place in page.locator(".course-place").all():
        place.scroll_into_view_if_needed()
        name = place.get_attribute("data-explorer")
        place.and_(page.locator("[data-state=ready]")).wait_for(timeout=60_000)
        move(page, place, by_touch=screen == "phone")
        place.screenshot(path=artifacts / f"site-lesson-{number}-{name}-{screen}-{scheme}.png")
    is_fine(opened, path, screen)


def test_light_and_dark_follow_the_system_and_the_button(visit):
    colors = {}
    for scheme in ("light", "dark"):
        page = visit("index.html", scheme=scheme).page
        colors[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colors["light"] != colors["dark"]
    button = page.locator(".theme-toggle-content .theme-toggle")
    seen = set()
    for _ in range(3):
        button.click()
        seen.add(page.evaluate("document.body.dataset.theme"))
    assert seen == {"light", "dark", "auto"}


def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return importlib.resources.files(package).joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FOR_AXE)
def test_axe_finds_nothing_serious(visit, path):
    for scheme in ("light",) if path in LONG else ("light", "dark"):
        opened = visit(path, scheme=scheme)
        if opened.page.locator(".course-place").count():
            opened.is_live()
        opened.page.evaluate(axe())
        found = opened.page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
        serious = [
            (each["id"], each["help"], [node["html"][:160] for node in each["nodes"][:3]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == [], (path, scheme)


def test_the_keyboard_reaches_what_can_be_moved_in_the_order_of_the_page(visit):
    opened = visit("index.html")
    opened.is_live()
    page = opened.page
    assert page.evaluate("[...document.querySelectorAll('[tabindex]')].every((one) => one.tabIndex <= 0)")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(() => { const at = document.activeElement; return at === document.body ? 'end' :"
                " at.closest('.course-place') ? 'explorer' : at.closest('.sidebar-drawer') ? 'navigation' :"
                " at.closest('article') ? 'text' : at.className; })()"
            )
        )
        if reached[-1] == "end":
            break
    assert "skip-to-content" in reached[0]
    assert reached.index("explorer") < reached.index("text")


def test_every_explorer_of_the_gallery_can_be_moved(visit, book, look, artifacts):
    screen, scheme = look
    names = sorted(path.name.removesuffix("-full.html") for path in (book / "gallery").glob("*-full.html"))
    assert len(names) >= 10
    for name in names:
        opened = visit(f"gallery/{name}.html", screen, scheme)
        opened.is_live()
        move(opened.page, opened.page.locator(".course-place").first, by_touch=screen == "phone")
        is_fine(opened, name, screen)
        opened.page.screenshot(path=artifacts / f"site-explorer-{name}-{screen}-{scheme}.png", full_page=True)
        opened.page.context.close()


def move(page, place, by_touch: bool) -> None:
    """Move an explorer by an arrow key, then by touch or by dragging; its value must change."""
    explorer = place.locator(".course-explorer")

    def moves_it(act):
        before, deadline = explorer.get_attribute("data-value"), time.monotonic() + 30
        act()
        while explorer.get_attribute("data-value") == before:
            assert time.monotonic() < deadline, f"{place.get_attribute('data-explorer')} does not move from {before}"
            page.wait_for_timeout(20)

    def settle():
        """Wait until the value has stayed for half a second."""
        before, since = explorer.get_attribute("data-value"), time.monotonic()
        while time.monotonic() < since + 0.5:
            page.wait_for_timeout(20)
            if explorer.get_attribute("data-value") != before:
                before, since = explorer.get_attribute("data-value"), time.monotonic()

    control = explorer.locator(CONTROL).first
    control.evaluate("(one) => one.scrollIntoView({block: 'center', behavior: 'instant'})")  # not below the page's head
    control.focus()
    at_its_start = control.evaluate("(one) => one.min !== undefined && one.valueAsNumber === Number(one.min)")
    moves_it(lambda: page.keyboard.press("ArrowRight" if at_its_start else "ArrowLeft"))
    box = control.bounding_box()
    left, right = ((box["x"] + share * box["width"], box["y"] + 0.4 * box["height"]) for share in (0.2, 0.75))
    if by_touch:
        page.touchscreen.tap(*left)
        settle()  # of two taps while it computes, it shows the last one only
        moves_it(lambda: page.touchscreen.tap(*right))
        settle()
        moves_it(lambda: page.touchscreen.tap(*left))
    else:
        page.mouse.move(*left)
        page.mouse.down()
        moves_it(lambda: page.mouse.move(*right, steps=4))
        page.mouse.up()


def test_explorers_further_down_wake_when_they_come_near(visit):
    opened = visit("gallery/index.html")
    opened.is_live()
    page = opened.page
    last = page.locator(".course-place").last
    assert last.get_attribute("data-state") is None
    last.scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('.course-place')].at(-1).dataset.state === 'ready'")
    assert opened.faults == []


def test_without_scripts_and_in_print_the_first_frames_are_there(visit, artifacts):
    opened = visit("index.html", java_script_enabled=False)
    first = opened.page.locator(".course-place .course-first")
    assert first.is_visible()
    assert first.locator("img").first.is_visible()
    assert len(first.inner_text()) > 20
    opened.page.emulate_media(media="print")
    assert first.is_visible()
    opened.page.screenshot(path=artifacts / "site-no-scripts-print.png")
    assert opened.faults == []


def test_a_book_that_lost_or_altered_a_file_keeps_the_first_frame(visit, address):
    def nothing(page):
        page.route("**/faces.bin", lambda route: route.fulfill(status=404, body=""))

    def altered(page):
        page.route("**/faces.bin", lambda route: route.fulfill(body=route.fetch().body()[:-900]))

    for before in (nothing, altered):
        page = visit("index.html", before=before).page
        page.locator(".course-place[data-state=failed]").wait_for(timeout=30_000)
        assert page.locator(".course-first img").first.is_visible()
        assert page.locator(".course-first-note").is_visible()


def test_another_page_embeds_an_explorer_by_one_line(visit, address, book):
    source = (book / "gallery" / "faces.html").read_text(encoding="utf-8")
    line = re.sub(r"<[^>]+>", "", re.search(r'(?s)<div class="highlight-html.*?</div>', source)[0])
    line = line.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&").strip()
    assert line.startswith("<iframe")
    line = re.sub(r'src="[^"]*/gallery/', f'src="{address}gallery/', line)

    def other(page):
        page.route(
            "**/other.html", lambda route: route.fulfill(body=f"<!doctype html>{line}", content_type="text/html")
        )

    opened = visit("other.html", before=other)
    opened.page.frame_locator("iframe").locator(".course-place[data-state=ready]").wait_for(timeout=60_000)
    assert opened.faults == []


def test_search_finds_a_word_of_a_lesson(visit):
    opened = visit("search.html?q=posterior")
    opened.page.locator("#search-results li a[href*='variational']").first.wait_for(timeout=30_000)
    assert opened.faults == []


def test_previous_next_and_the_glossary(visit, address):
    page = visit(LESSONS[0]).page
    page.locator(".next-page").click()
    assert page.url.endswith(LESSONS[1])
    page.locator("a[href^='../glossary.html#']").first.click()
    assert "/glossary.html#" in page.url
    until(page, "document.querySelector(location.hash) !== null")  # the page is long, and read bit by bit


def test_formulas_are_set_in_the_font_of_the_book(visit):
    page = visit(LESSONS[-1]).page
    page.locator("math").first.scroll_into_view_if_needed()
    until(page, "document.fonts.check('16px \"Course Math\"')")
    heights = page.evaluate("[...document.querySelectorAll('math')].map((one) => one.getBoundingClientRect().height)")
    assert len(heights) > 50
    assert min(heights) > 5


def test_the_first_screen_as_one_file_works_from_the_disk(visit, tmp_path: Path, artifacts):
    file = site.single(tmp_path / "faces.html", say=lambda line: None)
    opened = visit(file.as_uri(), "phone")
    opened.is_live()
    assert opened.faults == []
    opened.page.screenshot(path=artifacts / "site-single-phone.png")


def test_the_movements_of_an_explorer_are_timed(browser, address, book):
    names = [page.name.removesuffix("-full.html") for page in (book / "gallery").glob("*-full.html")]
    with benchmark("book") as module:
        for name in names:
            found, work = module.movements(browser, address, name)
            assert len(found) >= module.EVENTS
            assert all(0 < one < 5000 for one in found), name
            assert 0 < work < 5000, name
