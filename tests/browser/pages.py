"""What a test does in a notebook that `open_notebook` opened: run its cells."""

import re

# "ran" when every cell has its number, the text of an error as soon as there is one, and false until then.
HAS_RUN = """() => {
    const outputs = [...document.querySelectorAll('.jp-OutputArea-output[data-mime-type$="stderr"]')];
    const failed = outputs.find((node) => node.textContent.includes('Traceback (most recent call last)'));
    if (failed) return failed.textContent.slice(-2000);
    const cells = [...document.querySelectorAll('.jp-CodeCell')];
    const folded = (cell) => cell.querySelector('.jp-InputPlaceholder'); // its prompt never has a number
    const ran = (cell) => folded(cell) || /\\[\\d+\\]/.test(cell.querySelector('.jp-InputPrompt').textContent);
    return cells.length && cells.every(ran) ? 'ran' : false;
}"""


def run_all(page, timeout: float = 300_000) -> None:
    """Run every cell of the open notebook; an error in one of them fails."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # Asked twice a second: by default it would be asked at every frame, and drawing frames would keep a core busy.
    outcome = page.wait_for_function(HAS_RUN, timeout=timeout, polling=500).json_value()
    assert outcome == "ran", f"a cell failed:\n{outcome}"


def run_cell(page, number: int, timeout: float = 300_000):
    """Run one code cell of the open notebook and return it; an error in it fails."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")
    cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).first.wait_for(timeout=timeout)
    failed = cell.locator(".jp-OutputArea-output", has_text="Traceback (most recent call last)")
    assert failed.count() == 0, f"the cell failed:\n{failed.first.inner_text()[-2000:]}"
    return cell
