"""What the course measures: data, latent spaces and models."""

from course_utils.metrics.codes import active_fraction, active_units, psnr
from course_utils.metrics.detection import auroc, roc_curve
from course_utils.metrics.disentanglement import (
    Dci,
    dci,
    factor_vae_score,
    mutual_information,
    mutual_information_gap,
    sap,
)
from course_utils.metrics.geometry import intrinsic_dimension, knn_accuracy, principal_angles, relative_contrast
from course_utils.metrics.maps import continuity, trustworthiness
from course_utils.metrics.modes import ModeCoverage, modes_covered
from course_utils.metrics.path_length import perceptual_path_length
from course_utils.metrics.paths import PathQuality, norm_profile, path_quality, sharpness, step_lengths
from course_utils.metrics.samples import (
    density_coverage,
    frechet_distance,
    image_features,
    precision_recall,
    quality_floor,
    sample_quality,
)
from course_utils.metrics.separability import Separability, conditional_entropy, linear_separability

__all__ = [
    "Dci",
    "ModeCoverage",
    "PathQuality",
    "Separability",
    "active_fraction",
    "active_units",
    "auroc",
    "conditional_entropy",
    "continuity",
    "dci",
    "density_coverage",
    "factor_vae_score",
    "frechet_distance",
    "image_features",
    "intrinsic_dimension",
    "knn_accuracy",
    "linear_separability",
    "modes_covered",
    "mutual_information",
    "mutual_information_gap",
    "norm_profile",
    "path_quality",
    "perceptual_path_length",
    "precision_recall",
    "principal_angles",
    "psnr",
    "quality_floor",
    "relative_contrast",
    "roc_curve",
    "sample_quality",
    "sap",
    "sharpness",
    "step_lengths",
    "trustworthiness",
]
