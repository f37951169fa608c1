"""What it costs that the page answers in a notebook when its kernel does not, for each kind of explorer.

    uv run benchmarks/stand_in.py [--rounds 3]

An explorer that nobody moves costs what is in the column "shown": the message that opens it, and the kernel's time to
make that. After the first move come, once: the message with the page's back end, the kernel's time to make it, the
browser's time to open it, and memory of the page, without a worker's own. After later moves the kernel looks whether
the model has learned: "again". The last columns are an answer of the kernel, without its way to the browser, and of the
page.
The kernel's times are processor time, medians; all others are by the clock.

It is left out for MapExplorer with images, codes and a decoder of the lessons' size, whose bundle is above
`page.stand_in.LARGEST`, and for what only Python can run: FunctionSlider, FunctionSliders, and handles that are true.
"""

import argparse
import base64
import gc
import json
import shutil
import statistics
import time

import torch

from course_utils.checkpoints import load_reference
from course_utils.data import fashion_mnist
from course_utils.data.faces import sample_faces
from course_utils.data.images import ImageSet
from course_utils.latents import encode_dataset
from course_utils.models.pca import PCA
from course_utils.models.pixels import PixelSpace
from course_utils.widgets import (
    ComponentSlider,
    Explorer,
    FunctionSlider,
    HandleSliders,
    LatentPad,
    MapExplorer,
    PathLab,
    PathSlider,
    front_end,
)
from course_utils.widgets.page import stand_in

PAGE = """async (source) => {
    const { default: make } = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    window.show = ({ traits, binary }) => {
        for (const [name, text] of Object.entries(binary)) traits[name] = bytes(text);
        const heard = [];
        const fire = (event, ...given) => {
            for (const [one, listen] of [...heard]) if (one === event) listen(...given);
        };
        const model = {
            get: (name) => traits[name],
            set(name, value) { traits[name] = value; fire(`change:${name}`); },
            save_changes() {}, send() {}, off() {},
            on: (event, listen) => heard.push([event, listen]),
        };
        window.receive = (content, text) => fire('msg:custom', content, [bytes(text)]);
        document.body.innerHTML = '<div id="cell"></div>';
        performance.clearMeasures();
        const { initialize, render } = make();
        initialize({ model });
        render({ model, el: document.getElementById('cell') });
    };
}"""
TOOK = "(name) => performance.getEntriesByName(name).map((one) => one.duration)"


def explorers() -> dict[str, Explorer]:
    """One of each kind, of the size that they have in the lessons."""
    clothes = fashion_mnist("test")
    few = ImageSet(clothes.images[:10], clothes.labels[:10], clothes.class_names)
    flat, deep, faces = (load_reference(name) for name in ("vae_2d", "vae_16d", "faces64_vae"))
    a_face = sample_faces(4, seed=1, size=64).pixels([3])[0]
    of_flat, of_deep = encode_dataset(flat, clothes), encode_dataset(deep, clothes)
    known = clothes.labels, clothes.class_names
    draw = torch.Generator().manual_seed(0)
    maps = {(perplexity,): torch.randn(len(clothes), 2, generator=draw) for perplexity in (5, 30)}
    pca = PCA(64).fit(clothes)
    return {
        "LatentPad, 2,000 images": LatentPad(flat, of_flat, *known, images=clothes),
        "LatentPad, no images": LatentPad(flat, of_flat, *known),
        "HandleSliders, faces": HandleSliders(faces, a_face, dims=[0, 5, 7, 9, 30]),
        "PathSlider, VAE and PCA": PathSlider({"VAE": flat, "PCA": pca}, *clothes.pixels([0, 3])),
        "ComponentSlider, 64": ComponentSlider(pca, clothes.pixels([1])[0]),
        "PathLab, 3 spaces": PathLab({"pixels": PixelSpace(), "PCA": pca, "VAE": deep}, few),
        "MapExplorer, images": MapExplorer(maps, *known, images=clothes, settings=("perplexity",)),
        "MapExplorer, images and codes": MapExplorer(
            maps, *known, images=clothes, codes=of_deep, model=deep, settings=("perplexity",)
        ),
        "FunctionSlider": FunctionSlider(lambda a: torch.full((1, 1, 28, 28), a), 0, 1, labels=["grey"]),
    }


def processor(work) -> float:
    """Milliseconds of processor time."""
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def of_kernel(explorer: Explorer, rounds: int) -> dict:
    """Bytes and milliseconds on Python's side."""
    content, buffers = stand_in.message(explorer, "")
    state = {name: one for name, one in explorer.get_state().items() if isinstance(one, bytes | str | dict | list)}
    size = sum(len(one) if isinstance(one, bytes | str) else len(json.dumps(one)) for one in state.values())
    makes, shows, events = [], [], []
    for _ in range(rounds):
        explorer._sent = None
        makes.append(processor(lambda: stand_in.message(explorer, "")))
        shows.append(processor(explorer.get_state))
        events += [processor(lambda: explorer._show(explorer.value)) for _ in range(5)]
    again = statistics.median(
        processor(lambda: stand_in.message(explorer, content["page"] or "")) for _ in range(rounds)
    )
    return {
        "shown": size, "shown ms": statistics.median(shows), "message": (content, buffers),
        "more": sum(map(len, buffers)) + len(json.dumps(content)) if buffers else 0,
        "make ms": statistics.median(makes), "again ms": again, "event ms": statistics.median(events),
    }  # fmt: skip


def of_page(page, explorer: Explorer, content: dict, packed: bytes) -> tuple[float, float, float]:
    """Milliseconds to open the back end, and of an answer; MB of memory that the page needs more."""
    state, tools = explorer.get_state(), page.context.new_cdp_session(page)

    def memory() -> float:
        tools.send("HeapProfiler.collectGarbage")
        used = tools.send("Runtime.getHeapUsage")
        return (used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6

    names = ("_spec", "_answer", "value", "_ask")
    traits = json.loads(json.dumps({name: state[name] for name in names}))
    binary = {name: base64.b64encode(state[name]).decode() for name in ("_frame", "_points")}
    page.evaluate("show", {"traits": traits, "binary": binary})
    before = memory()
    page.evaluate("([content, text]) => receive(content, text)", [content, base64.b64encode(packed).decode()])
    while not (opened := page.evaluate(TOOK, "course:stand-in")):
        page.wait_for_timeout(50)
    pad = page.locator("#cell .course-pad")
    (pad if pad.count() else page.locator("#cell .course-range").first).focus()
    page.keyboard.press("ArrowRight")
    page.locator("#cell .course-status", has_text="kernel").wait_for(timeout=30_000)
    for k in range(10):
        page.keyboard.press("ArrowRight" if k % 2 else "ArrowLeft")
        page.wait_for_timeout(100)
    return opened[0], statistics.median(page.evaluate(TOOK, "course:stand-in:answer")[1:]), memory() - before


def measure(rounds: int) -> list[dict]:
    """All figures, a row for each explorer."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for name, explorer in explorers().items():
            row = {"name": name} | of_kernel(explorer, rounds)
            content, buffers = row.pop("message")
            if buffers:
                page = browser.new_page()
                page.evaluate(PAGE, Explorer._esm)
                row["open ms"], row["answer ms"], row["MB"] = of_page(page, explorer, content, buffers[0])
                page.close()
            rows.append(row)
            gc.collect()
        browser.close()
    return rows


def table(rows: list[dict]) -> str:
    """The figures as Markdown."""
    lines = [
        "| explorer | shown | after a move: more | kernel makes it | again | browser opens it | browser's memory "
        "| an answer: kernel | page |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        line = f"| {row['name']} | {row['shown'] / 1e3:.0f} kB, {row['shown ms']:.1f} ms "
        if row["more"]:
            line += f"| {row['more'] / 1e3:.0f} kB | {row['make ms']:.0f} ms | {row['again ms']:.1f} ms "
            line += f"| {row['open ms']:.0f} ms | {row['MB']:.1f} MB "
            line += f"| {row['event ms']:.1f} ms | {row['answer ms']:.1f} ms |"
        else:
            line += f"| left out | {row['make ms']:.0f} ms, once | | | | {row['event ms']:.1f} ms | |"
        lines.append(line)
    whole, own = (len(text.encode()) / 1e3 for text in (front_end.module(), front_end.read("kernel")))
    lines += ["", f"Of what is shown, {whole:.1f} kB are the front end; kernel.js, which says when the page answers, "
              f"is at most {own:.1f} kB of them."]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often the kernel's side is measured")
    print(table(measure(parser.parse_args().rounds)))
