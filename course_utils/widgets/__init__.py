"""Explorers: controls that a reader moves and pictures that follow. The only importer of ipywidgets.

Every explorer takes any LatentModel, works by mouse, touch and keyboard, says in words what it shows, and shows
its errors. `static()` draws the same function as a figure, for print and for pages without a kernel.
"""

from course_utils.widgets.explorer import Explorer
from course_utils.widgets.function import FunctionSlider, FunctionSliders
from course_utils.widgets.handles import HandleSliders
from course_utils.widgets.laboratory import PathLab
from course_utils.widgets.map import MapExplorer
from course_utils.widgets.pad import LatentPad
from course_utils.widgets.sliders import ComponentSlider, PathSlider

__all__ = [
    "ComponentSlider",
    "Explorer",
    "FunctionSlider",
    "FunctionSliders",
    "HandleSliders",
    "LatentPad",
    "MapExplorer",
    "PathLab",
    "PathSlider",
]
