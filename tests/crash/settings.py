"""Loupe with the kinds of jobs that crash."""

from deploy.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.crash"]  # noqa: F405
