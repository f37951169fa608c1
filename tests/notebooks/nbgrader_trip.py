"""Steps of nbgrader, run by its own Python in the folder of a course: a list of them as JSON on stdin.

What comes of each is printed as JSON: {"success": ..., "log": ...}, or the marks. One process takes all steps, because
nbgrader needs seconds to start. It reads the folder's nbgrader_config.py, as its command line does.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderApp
from nbgrader.apps.api import NbGraderAPI
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeFactory
from nbgrader.utils import capture_log


def settings():
    """What nbgrader_config.py says, and an exchange beside the course."""
    app = NbGraderApp()
    app.initialize([])
    app.config.CourseDirectory.root = os.getcwd()
    app.config.Exchange.root = str(Path.cwd().parent / "exchange")
    app.config.Exchange.cache = str(Path.cwd().parent / "cache")
    return app.config


def exchange(config, what: str, assignment: str, student: str) -> dict:
    """Fetch or submit as a student, in the student's own folder beside the course."""
    home = Path.cwd().parent / "home" / student
    home.mkdir(parents=True, exist_ok=True)
    config = config.copy()
    config.Exchange.assignment_dir = str(home)
    course = CourseDirectory(config=config)
    course.assignment_id, course.student_id = assignment, student
    factory = ExchangeFactory(config=config)
    made = {"fetch": factory.FetchAssignment, "submit": factory.Submit}[what]
    return capture_log(made(coursedir=course, authenticator=Authenticator(config=config), config=config))


def marks(assignment: str, student: str) -> dict:
    """Points by cell: [given by machine, at most, does a person have to look]."""
    with Gradebook("sqlite:///gradebook.db") as gradebook:
        try:
            notebook = gradebook.find_submission_notebook(assignment, assignment, student)
        except Exception as error:
            return {"error": str(error)}
        return {g.name: [g.auto_score, g.max_score, g.needs_manual_grade] for g in notebook.grades}


def main():
    """Take the steps."""
    (Path.cwd().parent / "exchange").mkdir(exist_ok=True)
    config = settings()
    api = NbGraderAPI(config=config)
    found = []
    for what, assignment, student in json.load(sys.stdin):
        times = os.times()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            if what == "generate":
                result = api.generate_assignment(assignment)
            elif what == "release":
                result = api.release_assignment(assignment)
            elif what in ("fetch", "submit"):
                result = exchange(config, what, assignment, student)
            elif what == "collect":
                result = api.collect(assignment)
            elif what == "autograde":
                result = api.autograde(assignment, student)
            elif what == "feedback":
                result = api.generate_feedback(assignment, student)
            else:
                result = marks(assignment, student)
        if what != "marks":
            seconds = sum(os.times()[:4]) - sum(times[:4])
            result = result | {"said": said.getvalue(), "seconds": round(seconds, 1)}
        found.append(result)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
