"""`python -m course_utils` is `course`."""

import sys

from course_utils.command.cli import main

if __name__ == "__main__":
    sys.exit(main())
