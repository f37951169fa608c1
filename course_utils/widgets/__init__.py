"""Explorers: controls that a reader moves and pictures that follow. The only importer of ipywidgets.

Every explorer takes any LatentModel, works by mouse, touch and keyboard, says in words what it shows, and shows
its errors. `static()` draws the same function as a figure, for print; `page()` writes what a page needs to show it
without a kernel, and `write_front_end` the script that every such page has.
"""

from course_utils.widgets.boxes import sliders_in
from course_utils.widgets.brush import Brush
from course_utils.widgets.component_slider import ComponentSlider
from course_utils.widgets.explorer import Explorer
from course_utils.widgets.front_end import write_front_end
from course_utils.widgets.function_sliders import FunctionSlider, FunctionSliders
from course_utils.widgets.handle_sliders import HandleSliders
from course_utils.widgets.latent_pad import LatentPad
from course_utils.widgets.map_explorer import MapExplorer
from course_utils.widgets.path_lab import PathLab
from course_utils.widgets.path_slider import PathSlider

__all__ = [
    "Brush",
    "ComponentSlider",
    "Explorer",
    "FunctionSlider",
    "FunctionSliders",
    "HandleSliders",
    "LatentPad",
    "MapExplorer",
    "PathLab",
    "PathSlider",
    "sliders_in",
    "write_front_end",
]
