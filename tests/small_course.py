"""A course of two lessons for tests of the builder."""

from pathlib import Path

import build_notebooks

BUILDER = Path(build_notebooks.__file__)


PLACEHOLDER = "https://github.com/OWNER/REPO"


PYPROJECT = """[project]
name = "small-course"

[tool.other]
address = "https://github.com/OWNER/REPO"

[tool.course]
# OWNER/REPO is a placeholder.
address = "https://github.com/OWNER/REPO"
branch = "trunk"

[tool.last]
address = "https://github.com/OWNER/REPO"
"""


README = """# A course

<!-- badges:begin -->
<!-- badges:end -->

    git clone https://github.com/OWNER/REPO

Not the course: https://github.com/OWNER/REPO-2.

<!-- lessons:begin (written by the builder) -->
old
<!-- lessons:end -->

The end.
"""


LESSON_00 = """# %% [markdown] title
# {{header}}
#
# # 00. Start here
#
# One sentence. *Is this machine
# ready?* It takes {{learning}} and runs in {{minutes}}. The course lives at {{address}}.

# %% setup
{{setup}}

# %% greet
greeting = "hello"
print(greeting, object(), __import__("os").getcwd())

# %% [test] greeted
greeting = greeting.upper()  # is forgotten after this cell
assert greeting == "HELLO"

# %% read tags=["folded"]
# @title Reads a result
stored = open("../../data/stored/result.txt").read()
print(greeting, stored)

# %% [markdown] bye
# Goodbye, $\\frac{{a}}{{b}}$.
"""


LESSON_01 = '''# %% [markdown] title
# {{header}}
#
# # 01. What is a latent space?

# %% set-up
{{setup}}

# %% double
def double(x):
    """Twice x."""
    for _ in range(1):
        ### BEGIN SOLUTION
        secret = 2 * x
        if secret:
            return secret
        ### END SOLUTION
    return 0


# %% half nbgrader={"grade": false, "solution": true}
def half(x):
    ### BEGIN SOLUTION
    return x / secret_two
    ### END SOLUTION


secret_two = 2

# %% check tags=["solution-only"]
double(4)

# %% [test] doubled
assert secret_two == 2
'''


def make_course(root: Path) -> Path:
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_bytes(PYPROJECT.encode())
    (root / "README.md").write_bytes(README.encode())
    (root / "data" / "stored").mkdir(parents=True)
    (root / "data" / "stored" / "result.txt").write_bytes(b"a result")
    (root / "notebooks" / "src" / "00_start_here.py").write_bytes(LESSON_00.encode())
    (root / "notebooks" / "src" / "01_latent_space.py").write_bytes(LESSON_01.encode())
    return root


def run(root: Path, *arguments: str) -> int:
    return build_notebooks.main(["--root", str(root), *arguments])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def source(root: Path, number: str) -> Path:
    return next((root / "notebooks" / "src").glob(f"{number}_*.py"))
