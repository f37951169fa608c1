"""Flow matching: a velocity at every place and time carries noise to data along an ordinary differential equation.

x0 is noise and x1 is data, t = 0 is noise and t = 1 is data: the other way round than in
`course_utils.models.diffusion`, whose x0 is data. The parts can be used by themselves: pairs, loss and conversions
(`paths`), steps (`steps`), the model (`flow`), reflow and straightness (`reflow`), density (`density`), and a mixture
whose velocity is known exactly (`mixture`). Lesson 14.
"""

from course_utils.models.flow.density import divergence, log_density
from course_utils.models.flow.flow import FlowModel, GivenFlow
from course_utils.models.flow.mixture import MixtureFlow
from course_utils.models.flow.paths import (
    draw_times,
    flow_matching_loss,
    flow_matching_pair,
    from_diffusion,
    velocity_from_x0,
    velocity_from_x1,
    x0_from_velocity,
    x1_from_velocity,
)
from course_utils.models.flow.reflow import reflow_pairs, straightness
from course_utils.models.flow.steps import (
    euler_step,
    flow_times,
    heun_step,
    integrate,
    renoise,
    replace_known,
)

__all__ = [
    "FlowModel", "GivenFlow", "MixtureFlow", "divergence", "draw_times", "euler_step", "flow_matching_loss",
    "flow_matching_pair", "flow_times", "from_diffusion", "heun_step", "integrate", "log_density", "reflow_pairs",
    "renoise", "replace_known", "straightness", "velocity_from_x0", "velocity_from_x1", "x0_from_velocity",
    "x1_from_velocity",
]  # fmt: skip
