"""A running cell and a widget that another thread answers meanwhile draw each their own figure."""

import pytest

# What moves while the cell draws: each runs on a thread of its own, as a widget's message does.
ELSEWHERE = """
import threading, ipywidgets
import matplotlib.pyplot as plt
slider = ipywidgets.IntSlider()
pictures = []
def draw(a):
    plt.figure()
    pictures.append(plt.get_fignums())
    plt.plot([a, 1])
    if plain:
        plt.show()
control = ipywidgets.interactive_output(draw, {"a": slider})
def elsewhere(function, *given):
    thread = threading.Thread(target=function, args=given)
    thread.start()
    thread.join()
"""
DRAWING = """
figure = plt.figure()
WHAT
axes = plt.gca()
print(axes.figure is figure, plt.get_fignums())
plt.imshow([[1, 2]])
assert axes.images
"""
MESSAGE = 'elsewhere(get_ipython().events.trigger, "post_execute")'
MOVE = "elsewhere(setattr, slider, 'value', 7)"


@pytest.fixture(scope="module")
def kernel():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def run(kernel):
    """Run code in the kernel: what it printed, and how many pictures it showed."""

    def go(code: str) -> tuple[str, int]:
        printed, pictures = [], []

        def hear(message):
            content = message["content"]
            assert message["msg_type"] != "error", "\n".join(content["traceback"])
            printed.append(content.get("text", ""))
            pictures.extend(["image/png"] if "image/png" in content.get("data", {}) else [])

        kernel.execute_interactive(code, output_hook=hear, timeout=120)
        return "".join(printed), len(pictures)

    return go


@pytest.mark.slow_because("starts a kernel")
def test_a_cell_keeps_its_figure(run):
    run("plain = True" + ELSEWHERE)
    for what in (MESSAGE, MOVE):  # first as it is without the course's package
        mixed, _ = run(DRAWING.replace("WHAT", what))
        assert mixed.startswith("False"), what
    run("from course_utils import plots\npictures.clear()")
    for plain in (True, False):
        run(f"plain = {plain}\nslider.value = 0\nplt.close()")
        for what, shown in ((MESSAGE, 1), ("slider.value = 3\nfigure = plt.figure()\n" + MOVE, 3), (MOVE, 1)):
            printed, seen = run(DRAWING.replace("WHAT", what))
            assert (printed, seen) == ("True [1]\n", shown), (what, plain)
            assert run("print(plt.get_fignums())")[0] == "[]\n"  # shown once, then closed


@pytest.mark.slow_because("starts a kernel")
def test_what_a_slider_draws_elsewhere_is_shown_and_closed(run):
    run("from course_utils import plots\nslider.value = 0\npictures.clear()")
    for plain, value in ((True, 4), (False, 5), (False, 6)):
        assert run(f"plain = {plain}\nelsewhere(setattr, slider, 'value', {value})") == ("", 1)
    assert run("print(pictures)") == ("[[1], [1], [1]]\n", 0)  # none was left open from the time before


@pytest.mark.slow_because("starts a kernel")
def test_figures_of_a_thread_are_as_ever(run):
    run("from course_utils.plots.thread_figures import keep_figures_apart\nkeep_figures_apart()\nkeep_figures_apart()")
    names = "[c.__name__ for c in get_ipython().events.callbacks['post_execute'] if 'flush' in c.__name__]"
    assert run(f"print({names})") == ("['flush_thread_figures']\n", 0)
    assert run("for k in (3, 5, 3):\n    plt.figure(k)\nprint(plt.gcf().number, plt.get_fignums())")[0] == "3 [3, 5]\n"
    assert run("plt.figure()\nplt.figure()\nplt.close(1)\nplt.close('all')\nprint(plt.get_fignums())")[0] == "[]\n"
