"""Classes that many tests of labeling name, by id."""

import pytest


@pytest.fixture
def circle(project) -> int:
    return project.classes.get(name="circle").pk


@pytest.fixture
def square(project) -> int:
    return project.classes.get(name="square").pk
