"""What the course's models learn from: photographs of clothes, drawn faces, and toy sets that can be seen whole.

`course_utils.data.faces` and `course_utils.data.corruptions` are rooms of their own.
"""

from course_utils.data.fashion import FASHION_CLASSES, download_fashion_mnist, fashion_mnist, torchvision_folder
from course_utils.data.images import Batches, ImageSet
from course_utils.data.toys import ring_of_gaussians, rotating_bar, swiss_roll, two_moons

__all__ = [
    "FASHION_CLASSES", "Batches", "ImageSet", "download_fashion_mnist", "fashion_mnist",
    "ring_of_gaussians", "rotating_bar", "swiss_roll", "torchvision_folder", "two_moons",
]  # fmt: skip
