"""What the course measures: data, latent spaces and models."""

from course_utils.metrics.codes import active_fraction, active_units, psnr
from course_utils.metrics.detection import auroc, roc_curve
from course_utils.metrics.geometry import intrinsic_dimension, knn_accuracy, principal_angles, relative_contrast

__all__ = [
    "active_fraction",
    "active_units",
    "auroc",
    "intrinsic_dimension",
    "knn_accuracy",
    "principal_angles",
    "psnr",
    "relative_contrast",
    "roc_curve",
]
