"""How models are trained: the one loop, the game of two players, and what they leave behind."""

from course_utils.training.adversarial import GanSettings, train_gan
from course_utils.training.batches import RandomBatches, Stretches
from course_utils.training.history import History
from course_utils.training.loop import fit, measure_speed
from course_utils.training.means import NonFiniteLoss
from course_utils.training.parts import learning_rate

__all__ = [
    "GanSettings", "History", "NonFiniteLoss", "RandomBatches", "Stretches", "fit", "learning_rate", "measure_speed",
    "train_gan",
]  # fmt: skip
