"""How the stored maps of lesson 08 are made: ``course maps``."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from course_utils.embedding import StoredMap, embed, has_umap, save_maps
from course_utils.files import require_writable

PERPLEXITIES = (2, 5, 15, 30, 100)
SEEDS = (0, 1, 2)
NEIGHBORS = (5, 15, 50)  # of UMAP
NOISE_SEED = 8


def noise_codes(count: int = 2000, latent_dim: int = 16) -> Tensor:
    """The pure noise that the honesty panel maps: draws from N(0, I), (count, latent_dim), always the same."""
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(NOISE_SEED), dtype=torch.float32)


def _codes() -> dict[str, Tensor]:
    """Codes of the 2,000 bundled test images by name, and the noise."""
    from course_utils.checkpoints import load_reference
    from course_utils.data import fashion_mnist
    from course_utils.latents import encode_dataset
    from course_utils.models.pca import PCA

    train, test = fashion_mnist("train", full=False), fashion_mnist("test", full=False)
    pixels = test.pixels()
    models = {name: load_reference(name) for name in ("autoencoder_32d", "vae_16d")}
    codes = {"pixels": pixels.flatten(1), "pca_16d": PCA(16).fit(train.pixels()).encode(pixels)}
    codes |= {name: encode_dataset(model, test) for name, model in models.items()}
    return codes | {"noise": noise_codes()}


def plan(umap: bool = True) -> dict[str, list[StoredMap]]:
    """The maps of each set, without their points: {set: maps}."""
    start = {"init": "random"}  # with init="pca" all seeds would give nearly the same map
    sweep = [
        StoredMap("vae_16d", "tsne", start | {"perplexity": perplexity, "random_state": seed})
        for perplexity in PERPLEXITIES
        for seed in SEEDS
    ]
    standard = {"perplexity": 30, "random_state": 0}
    methods = [StoredMap("vae_16d", "pca"), StoredMap("vae_16d", "tsne", standard)]
    if umap:
        methods += [StoredMap("vae_16d", "umap", {"n_neighbors": k, "random_state": 0}) for k in NEIGHBORS]
    models = [StoredMap(name, "tsne", standard) for name in ("pixels", "pca_16d", "autoencoder_32d", "vae_16d")]
    noise = [
        StoredMap("noise", "tsne", start | {"perplexity": perplexity, "random_state": 0}) for perplexity in PERPLEXITIES
    ]
    return {"sweep": sweep, "methods": methods, "models": models, "noise": noise}


WHAT = {
    "sweep": "t-SNE of the codes of vae_16d, over perplexity and seed, each from a random start",
    "methods": "the codes of vae_16d by PCA, t-SNE and UMAP",
    "models": "t-SNE of several models' codes, and of the pixels, with the same settings",
    "noise": f"t-SNE of 2,000 draws from N(0, I) in 16 dimensions (torch, seed {NOISE_SEED}), as the sweep's seed 0",
}


def make_maps(
    out: Path | str, *, umap: bool = True, progress: bool = True, codes: dict[str, Tensor] | None = None
) -> list[Path]:
    """Make all stored maps anew and save them, one file and one card for each set.

    Args:
        out: Folder to save into.
        umap: With the maps by UMAP, for which umap-learn must be installed.
        progress: Show a bar, one step a map.
        codes: {name: codes (N, ...)} in place of those of the reference models, for tests.

    Returns:
        Paths of the files with the coordinates.

    Raises:
        ModuleNotFoundError: umap is True and umap-learn is not installed. This is found out before anything is made.
        OSError: A file could not be written. A folder that cannot be written to is found out before anything is made.
    """
    from tqdm.auto import tqdm

    if umap and not has_umap():
        raise ModuleNotFoundError(
            "the stored maps hold some by UMAP, and umap-learn is not installed: `pip install umap-learn`, or leave "
            "them out with --without-umap."
        )
    for name in plan(umap):
        require_writable(Path(out) / f"{name}.json")
    codes = _codes() if codes is None else codes
    sets, made, paths, known = plan(umap), {}, [], {}
    with tqdm(total=sum(map(len, sets.values())), desc="maps", unit="map", disable=not progress) as bar:
        for name, maps in sets.items():
            begin = time.perf_counter()
            made[name] = [_made(one, codes, known, bar.update) for one in maps]
            card = {
                "name": name,
                "what": WHAT[name],
                "data": "the 2,000 bundled test images of Fashion-MNIST" if name != "noise" else "noise",
                "command": "course maps" + ("" if umap else " --without-umap"),
                "minutes": round((time.perf_counter() - begin) / 60, 1),
                "licence": "MIT",
            }
            paths.append(save_maps(made[name], Path(out) / name, card=card))
    return paths


def _made(one: StoredMap, codes: dict[str, Tensor], known: dict, tick: Callable[[], object]) -> StoredMap:
    """The map with its points; one that two sets have in common is made once."""
    key = one.of, one.method, tuple(sorted(one.options.items()))
    if key not in known:
        known[key] = embed(codes[one.of], one.method, **one.options)
    tick()
    return StoredMap(one.of, one.method, one.options, known[key])
