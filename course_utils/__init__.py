"""The companion package of the course on latent spaces.

Importing it loads nothing heavy: each module is imported where it is used, for example
``from course_utils import data, plots``. ``course_utils.__version__`` is the package's version.
"""

__version__ = "0.1.0"
