"""Recipe of the style-based generator of faces, for lesson 11."""

from functools import partial

import torch

from course_utils.checkpoints import load_reference
from course_utils.data.faces import FaceSet
from course_utils.latents import decode_dataset
from course_utils.metrics import linear_separability, perceptual_path_length
from course_utils.models.styles import StyleGAN
from course_utils.recipes.faces64 import face64_images, measure_draws, prior_codes, read_handles
from course_utils.recipes.gan import run
from course_utils.recipes.recipe import Recipe
from course_utils.training.adversarial import GanSettings

# The stored weights are of size 1 (equalised learning rates): at 1e-2 they move about as fast, for their size, as those
# of the discriminator. At 2e-3 the discriminator wins: after 450 steps at 32 pixels 27 against 20 in Frechet distance.
# With an r1 of 1 and 4 epochs the Frechet distance was 10.7 and the recall .05, with 0.1 and 12 epochs 4.7 and .16.
SETTINGS = GanSettings(r1=0.1, lr_generator=1e-2, ema=0.998, decay="linear")


@torch.no_grad()
def measure_faces(model: StyleGAN, test: FaceSet) -> dict[str, float]:
    """How good generated faces are, and how smooth and separable z and w are.

    Args:
        model: A StyleGAN of 64-pixel faces.
        test: Faces with independent handles.

    Returns:
        As `course_utils.recipes.faces64.measure_draws`, of as many draws as there are test faces; and for z and w
        "path_length_NAME", the perceptual path length between these draws (in z by slerp, in w by lerp), and
        "separability_NAME", the linear separability of the handles that the regressor reads from them.
    """
    regressor = load_reference("faces64_regressor")
    z = prior_codes(model, len(test))
    draws = decode_dataset(model, z)
    metrics, read = measure_draws(draws, test), read_handles(regressor, draws)
    for name, space, codes, path in (("z", model, z, "slerp"), ("w", model.in_w(), model.map(z), "lerp")):
        generator = torch.Generator().manual_seed(0)
        lengths = perceptual_path_length(space, codes, codes.roll(1, 0), regressor, path=path, generator=generator)
        metrics[f"path_length_{name}"] = lengths.mean().item()
        metrics[f"separability_{name}"] = linear_separability(codes, read, generator=generator).score
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}


def _recipe(name: str, mapping_layers: int, what: str) -> Recipe:
    return Recipe(
        name,
        f"style-based GAN of drawn faces of 64 pixels, {what}, 7 layers with a style, R1 penalty",
        lambda: StyleGAN(64, mapping_layers=mapping_layers),
        epochs=12,
        batch_size=32,
        precision="auto",
        data="Drawn faces of 64 x 64 pixels",
        images=face64_images,
        run=partial(run, settings=SETTINGS, spectral=False),
        measure=measure_faces,
        needs=("faces64_regressor",),
    )


RECIPES = (
    _recipe("styles_faces", 4, "z and w of 64 numbers"),
    _recipe("styles_faces_unmapped", 0, "64 numbers, no mapping: w = z"),
)
