"""The names by which cards know the models."""

import importlib
import pkgutil
import re

import pytest

from course_utils import models
from course_utils.models import MODELS, model_class


def classes_with_config():
    found = {}
    for module in pkgutil.walk_packages(models.__path__, f"{models.__name__}."):
        source = importlib.import_module(module.name).__loader__.get_source(module.name)
        for name, body in re.findall(r"(?ms)^class (\w+)\(.*?\):\n(.*?)(?=^class |^def |\Z)", source):
            if re.search(r"self\.config (\|?)= ", body):
                found[name] = module.name
    return found


def test_every_model_that_can_be_stored_has_a_name():
    found = classes_with_config()
    assert len(found) > 8
    assert set(found) <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_the_name_is_that_of_the_class(name):
    assert model_class(name).__name__ == name


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="there is no model 'Linear'; there are: Autoencoder, "):
        model_class("Linear")
