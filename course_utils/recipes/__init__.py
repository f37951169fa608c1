"""How each reference model is trained: ``course train NAME``. One file a family of models."""

from course_utils.recipes.evaluation import evaluate, spread
from course_utils.recipes.faces import CVAE_HANDLES, FACE_BETAS, face_condition
from course_utils.recipes.fashion import BETAS
from course_utils.recipes.recipe import Recipe
from course_utils.recipes.reference import RECIPES, train

__all__ = [
    "BETAS",
    "CVAE_HANDLES",
    "FACE_BETAS",
    "RECIPES",
    "Recipe",
    "evaluate",
    "face_condition",
    "spread",
    "train",
]
