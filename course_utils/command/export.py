"""`course export`: a model as ONNX files, one for each function of it, compared with torch before they are kept.

The files are written by torch's exporter of today (`dynamo=True`, the default since torch 2.9). The one before it made
the batch size of the example a constant where a model adds a condition to its codes. `strict` traces as a compiler
does: otherwise ``len(x)`` would become such a constant too.
"""

import contextlib
import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import __version__, checkpoints, stored
from course_utils.files import course_home, require_writable
from course_utils.latents import draw_normal
from course_utils.models.caption import MAX_TOKENS, VOCABULARY
from course_utils.models.classifier import Classifier
from course_utils.models.diffusion import CodeDiffusion, Diffusion
from course_utils.models.diffusion.caption_denoisers import CaptionUNet
from course_utils.models.flow import FlowModel
from course_utils.models.gan import GAN, Discriminator, Generator, RingDiscriminator, RingGenerator
from course_utils.models.regressor import Regressor
from course_utils.models.styles import StyleGAN, StyleGenerator
from course_utils.models.vae import VAE, ConditionalVAE

NEEDED = ("onnx", "onnxscript", "onnxruntime")  # the extra `export` of pyproject.toml
TOLERANCE = 1e-4  # the largest difference from torch, of any number that comes out
BATCHES = (1, 3)  # sizes that are compared; the graph is made from another
KEPT = ("what", "data", "licence", "seed", "command", "metrics", "model")  # of the checkpoint's card


class Graph(nn.Module):
    """One function of a model, with names for what goes in and what comes out.

    Args:
        model: The model, in evaluation mode.
        function: The function: one of the model's own methods, or made of them.
        inputs: Names of its arguments, as `example` knows them.
        outputs: Names of its results.
    """

    def __init__(self, model: nn.Module, function: Callable, inputs: tuple[str, ...], outputs: tuple[str, ...]):
        super().__init__()
        self.model, self.function, self.inputs, self.outputs = model, function, inputs, outputs

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The results, a tuple even of one."""
        results = self.function(*given)
        return results if isinstance(results, tuple) else (results,)

    def example(self, n: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """One batch of n for each input."""
        return tuple(example(self.model, name, n, rng) for name in self.inputs)

    def __str__(self) -> str:
        return f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"


def graphs(model: nn.Module) -> dict[str, Graph]:
    """What is exported of a model: its graphs by name.

    A GAN has no encoder: what encodes is a search. A style-based one has three graphs: its decoder and the two parts
    of it. The sampler of a diffusion model or of a flow is a loop around the one graph.

    Raises:
        ValueError: The model computes nothing that could be exported.
    """
    if isinstance(model, Classifier):

        def scores_and_features(x: Tensor) -> tuple[Tensor, Tensor]:
            features = model.features(x)
            return model.head(features), features

        return {"classifier": Graph(model, scores_and_features, ("x",), ("scores", "features"))}
    if isinstance(model, Regressor):
        return {"regressor": Graph(model, model.forward, ("x",), ("numbers",))}
    if isinstance(model, (Generator, RingGenerator, StyleGenerator)):
        return {"generator": Graph(model, model.forward, ("z",), ("x_hat",))}
    if isinstance(model, (Discriminator, RingDiscriminator)):
        return {"discriminator": Graph(model, model.forward, ("x",), ("logit",))}
    if isinstance(model, (Diffusion, CodeDiffusion, FlowModel)):
        told = ("label",) if model.num_classes else ("y",) if model.condition_dim else ()
        if isinstance(model, FlowModel):
            told = ("tokens",) if isinstance(model.network, CaptionUNet) else told
            return {"velocity": Graph(model, model.velocity, ("x_t", "t", *told), ("velocity",))}
        return {"denoiser": Graph(model, model.predict_eps, ("x_t", "t", *told), ("eps_hat",))}
    if not hasattr(model, "decode"):
        raise ValueError(f"a {type(model).__name__} has nothing to export: give a model that encodes or decodes.")
    condition, found = ("y",) if isinstance(model, ConditionalVAE) else (), {}
    if isinstance(model, VAE):
        found["encoder"] = Graph(model, model.posterior, ("x", *condition), ("mu", "logvar"))
    elif isinstance(model, StyleGAN):
        found["mapping"] = Graph(model, model.map, ("z",), ("w",))
        found["synthesis"] = Graph(model, model.generator.synthesize, ("w",), ("x_hat",))
    elif not isinstance(model, GAN):
        found["encoder"] = Graph(model, model.encode, ("x",), ("z",))
    return found | {"decoder": Graph(model, model.decode, ("z", *condition), ("x_hat",))}


def example(model: nn.Module, name: str, n: int, rng: torch.Generator) -> Tensor:
    """A batch of n for an input of that name, drawn from its range."""
    if name == "x":
        return torch.rand(n, *getattr(model, "image_shape", (2,)), generator=rng)  # RingDiscriminator takes points
    if name == "z":
        return model.sample_latent(n, rng) if hasattr(model, "sample_latent") else draw_normal(model, n, rng)
    if name == "w":
        return torch.randn(n, model.generator.num_layers, *model.latent_shape, generator=rng)
    if name == "y":
        return torch.rand(n, model.condition_dim, generator=rng)
    if name == "x_t":
        return torch.randn(n, *model.latent_shape, generator=rng)
    if name == "t" and isinstance(model, FlowModel):
        return torch.rand(n, generator=rng)
    if name == "tokens":
        return torch.randint(len(VOCABULARY), (n, MAX_TOKENS), generator=rng)
    end = {"t": model.schedule.num_steps, "label": model.num_classes + 1}[name]
    return torch.randint(end, (n,), generator=rng)


def meaning(model: nn.Module, name: str) -> str:
    """What an input or an output of that name is, with its range, in a few words."""
    what = "points" if isinstance(model, (RingGenerator, RingDiscriminator)) else "images, pixels in [0, 1]"
    known = {
        "x": what,
        "x_hat": what,
        "z": "latent codes",
        "w": "latent codes that the mapping makes of z; where they go in, one for each layer with a style",
        "y": "conditions, in the order and the ranges of the training",
        "tokens": f"words of captions, 1 to {len(VOCABULARY) - 1}, filled up with 0; zeros for any",
        "mu": "mean of q(z|x), the code of an image",
        "logvar": "log variance of q(z|x): log(sigma**2)",
        "x_t": "noisy images, sqrt(alpha_bar[t]) * x0 + sqrt(1 - alpha_bar[t]) * eps, with x0 = 2 * x - 1 in [-1, 1]",
        "eps_hat": "the noise eps in x_t, as estimated",
        "scores": "class scores before the softmax",
        "features": "activations of the last hidden layer",
        "logit": "large for real, small for generated",
    }
    if isinstance(model, FlowModel):
        known["x_t"] = "standardised data on the way, (1 - t) * noise + t * (data - code_mean) / code_std"
        known["velocity"] = "where x_t goes: the mean of data - noise, as estimated"
        known["t"] = "times, from 0 (noise) to 1 (data)"
    if isinstance(model, CodeDiffusion):
        known["x_t"] = (
            known["x_t"].replace("images", "codes").replace("2 * x - 1 in [-1, 1]", "(data - code_mean) / code_std")
        )
    if isinstance(model, (CodeDiffusion, FlowModel)):
        known["y"] = "conditions, in the order and the ranges of the training; zeros for any"
    if name == "t" and name not in known:
        return f"timesteps, 0 to {model.schedule.num_steps - 1}"
    if name == "label":
        return f"classes, 0 to {model.num_classes - 1}, and {model.num_classes} for any class"
    if name == "numbers":
        ends = ", ".join(f"[{low:g}, {high:g}]" for low, high in model.config["ranges"])
        return f"what is read from an image, in units of its own; ranges: {ends}"
    return known[name]


def preprocessing(model: nn.Module) -> str:
    """What has to be done to a picture before it goes in; empty for a model without pictures."""
    if not getattr(model, "image_shape", None):
        return ""
    channels, height, width = model.image_shape
    return (
        f"Images are float32 (batch, {channels}, {height}, {width}), {'RGB' if channels == 3 else 'grey'}, of {height} "
        f"rows and {width} columns, pixels in [0, 1]: bytes divided by 255, no mean subtracted."
    )


def require_packages() -> None:
    """Raise RuntimeError with the command to run unless all that writes and checks an ONNX file is installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed here, and a model is "
            f"exported by it: run `uv sync --extra export` in the checkout, or `pip install {' '.join(NEEDED)}`."
        )


def open_model(name: str) -> tuple[str, dict, nn.Module]:
    """A reference model by its name, or a model that `course_utils.checkpoints.save` wrote, by its path.

    Of several moments of a training, the last one.

    Returns:
        Its name, its card and the model in evaluation mode.

    Raises:
        ValueError, FileNotFoundError: As `checkpoints.load` does, or a file that the course did not save.
    """
    if name in checkpoints.reference_names():
        card = checkpoints.verify(name)
        if "snapshots" in card:
            return name, card, checkpoints.load_snapshots(name)[-1][1]
        return name, card, checkpoints.load_reference(name)
    if Path(name).expanduser().is_dir() or Path(name).suffix in (".pt", ".pth", ".ckpt", ".onnx", ".ipynb"):
        raise ValueError(f"{name} is no model of the course: give one that course_utils.checkpoints.save wrote.")
    return stored.paths(name)[1].stem, checkpoints.read_card(name), checkpoints.load(name)


def table() -> str:
    """The reference models and their graphs, one line a model."""
    rows = []
    for name in checkpoints.reference_names():
        try:
            _, card, model = open_model(name)
            parts = "; ".join(f"{part}: {graph}" for part, graph in graphs(model).items())
            rows.append((name, parts, card["what"]))
        except (OSError, ValueError):
            rows.append((name, "-", "damaged, as `course doctor` says"))
    rows.insert(0, ("NAME", "GRAPHS", "WHAT"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}" for row in rows)


def export(name: str, out: Path | None = None, *, force: bool = False, say: Callable[[str], None] = print) -> Path:
    """Write NAME.GRAPH.onnx for each graph of a model, and one card, NAME.onnx.json: all of them or none.

    Args:
        name: A reference model's name, or the path of a saved model.
        out: Folder; by default one in the learner's own folder.
        force: Replace files that are there.
        say: Called with one line a file.

    Returns:
        Path of the card.

    Raises:
        ValueError: There is no such model, it has nothing to export, or a file is there already.
        OSError: The files cannot be written; nothing half-written is left.
        RuntimeError: A package is missing, or a graph computes something else than torch: no file is kept.
    """
    require_packages()
    import onnx
    import onnxruntime

    name, source, model = open_model(name)
    found = graphs(model)
    path = (course_home() / "onnx" if out is None else Path(out).expanduser()) / f"{name}.onnx"
    files = {part: f"{name}.{part}.onnx" for part in found}
    for file in (*files.values(), f"{path.name}.json"):
        if path.with_name(file).exists() and not force:
            raise ValueError(f"{path.with_name(file)} exists: replace it with --force, or give another folder (--out).")
        require_writable(path.with_name(file))
    card = {"name": name, **{key: source[key] for key in KEPT if key in source}}
    card |= {"weights_sha256": source["sha256"], "course": __version__, "preprocessing": preprocessing(model)}
    card["exported_with"] = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    if "snapshots" in source:
        card |= source["snapshots"][-1]  # the epoch, and the metrics then
    if isinstance(model, (CodeDiffusion, FlowModel)):
        card["codes"] = {"code_mean": model.code_mean.tolist(), "code_std": model.code_std.tolist()}
    if isinstance(model, (Diffusion, CodeDiffusion)):
        card["schedule"] = {**model.schedule.config, "alpha_bar": model.schedule.alpha_bar.tolist()}
    card["graphs"], content = {}, {}
    for part, graph in found.items():
        file = files[part]
        ports = described(graph)
        content[file] = onnx_bytes(graph, card | {"graph": part} | ports)
        difference = compare(graph, content[file], file)
        card["graphs"][part] = {"file": file, **ports, "largest_difference": difference, "batches": BATCHES}
        say(f"{file}: {graph}, {len(content[file]) / 1000:.0f} kB, differs from torch by at most {difference:.1e}")
    return stored.save(path, content, card=card)


def described(graph: Graph) -> dict[str, list[dict]]:
    """Name, shape, type and meaning of each input and output, for the card."""

    def ports(names: tuple[str, ...], tensors: tuple[Tensor, ...]) -> list[dict]:
        return [
            {
                "name": name, "shape": ["batch", *tensor.shape[1:]], "type": str(tensor.dtype).removeprefix("torch."),
                "what": meaning(graph.model, name),
            }
            for name, tensor in zip(names, tensors, strict=True)
        ]  # fmt: skip

    given = graph.example(2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return {"inputs": ports(graph.inputs, given), "outputs": ports(graph.outputs, graph(*given))}


def onnx_bytes(graph: Graph, card: dict) -> bytes:
    """The graph as the bytes of an ONNX file of any batch size, with the card as its metadata."""
    import onnx

    given = graph.example(2, torch.Generator().manual_seed(0))
    with torch.no_grad(), _quiet():
        batch = {0: torch.export.Dim.DYNAMIC}
        program = torch.export.export(graph.eval(), given, dynamic_shapes=(tuple(batch for _ in given),), strict=True)
        program = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=graph.inputs, output_names=graph.outputs
        )
    proto = program.model_proto
    values = (*proto.graph.input, *proto.graph.output)
    for value in values:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # What the exporter notes of each step is half of a small file, with paths of the machine that exported it.
    proto.graph.ClearField("value_info")
    for one in (proto, proto.graph, *proto.graph.node, *proto.graph.initializer, *values):
        for field in ("metadata_props", "doc_string"):
            one.ClearField(field)
    onnx.helper.set_model_props(
        proto, {key: value if isinstance(value, str) else json.dumps(value) for key, value in card.items() if value}
    )
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the exporter tells of its own work is nothing that a learner could use."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def compare(graph: Graph, data: bytes, file: str) -> float:
    """The largest difference between onnxruntime's and torch's results, over batches of several sizes.

    Raises:
        RuntimeError: It is above `TOLERANCE`, or onnxruntime cannot run the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    rng, largest = torch.Generator().manual_seed(1), 0.0
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        for n in BATCHES:
            given = graph.example(n, rng)
            with torch.no_grad():
                wanted = graph(*given)
            named = {name: tensor.numpy() for name, tensor in zip(graph.inputs, given, strict=True)}
            for name, want, got in zip(graph.outputs, wanted, session.run(graph.outputs, named), strict=True):
                difference = (want - torch.from_numpy(got)).abs().max().item() if want.shape == got.shape else torch.inf
                if not difference <= TOLERANCE:
                    raise RuntimeError(f"its {name} differs from torch's by {difference:.2g}")
                largest = max(largest, difference)
    except Exception as error:  # onnxruntime's own errors have no common class
        raise RuntimeError(
            f"{file} was not kept, nor any other file: in onnxruntime {' '.join(str(error).split())[:300]} (at most "
            f"{TOLERANCE:g} is allowed). Other versions of {', '.join(NEEDED)} may do better."
        ) from error
    return largest
