"""Style-based generators: a mapping from z to w, and a style a layer. Lesson 11 builds one.

Truncation, style mixing and the search for codes are in `course_utils.models.styles.latents`; all can be imported from
here too. `course_utils.training.train_gan` trains one against a `course_utils.models.gan.Discriminator`.
"""

from course_utils.models.styles.gan import StyleGAN, StyleSpace
from course_utils.models.styles.generator import MappingNetwork, StyleGenerator
from course_utils.models.styles.latents import invert, mix_styles, truncate_w
from course_utils.models.styles.layers import EqualLinear, ModulatedConv2d, StyledLayer, ToImage

__all__ = [
    "EqualLinear", "MappingNetwork", "ModulatedConv2d", "StyleGAN", "StyleGenerator", "StyleSpace", "StyledLayer",
    "ToImage", "invert", "mix_styles", "truncate_w",
]  # fmt: skip
