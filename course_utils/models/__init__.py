"""The models of the course, a file or a folder a family: ``from course_utils.models.vae import VAE``.

A stored model's card names its class by a name in MODELS, so that a class can move without its cards.
"""

import importlib

# The module of each class that a card may name: those with a ``config``, the arguments that build them again.
MODELS = {
    "Autoencoder": "course_utils.models.autoencoder",
    "DenoisingAutoencoder": "course_utils.models.autoencoder",
    "SparseAutoencoder": "course_utils.models.autoencoder",
    "AutoencoderKL": "course_utils.models.autoencoder_kl",
    "Classifier": "course_utils.models.classifier",
    "CodeDiffusion": "course_utils.models.diffusion",
    "Diffusion": "course_utils.models.diffusion",
    "NoiseSchedule": "course_utils.models.diffusion",
    "FlowModel": "course_utils.models.flow",
    "GAN": "course_utils.models.gan",
    "Generator": "course_utils.models.gan",
    "Discriminator": "course_utils.models.gan",
    "RingGenerator": "course_utils.models.gan",
    "RingDiscriminator": "course_utils.models.gan",
    "PCA": "course_utils.models.pca",
    "PixelSpace": "course_utils.models.pixels",
    "Regressor": "course_utils.models.regressor",
    "StyleGAN": "course_utils.models.styles",
    "StyleGenerator": "course_utils.models.styles",
    "VAE": "course_utils.models.vae",
    "ConditionalVAE": "course_utils.models.vae",
}


def model_class(name: str) -> type:
    """The class of a registered name; its module is imported only now.

    Args:
        name: One of MODELS.

    Returns:
        The class.

    Raises:
        ValueError: There is no such name.

    Example:
        >>> model_class("VAE").__name__
        'VAE'
    """
    if name not in MODELS:
        raise ValueError(f"there is no model {name!r}; there are: {', '.join(MODELS)}")
    return getattr(importlib.import_module(MODELS[name]), name)
