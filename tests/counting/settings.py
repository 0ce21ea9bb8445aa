"""The project's settings with this app."""

from project.settings import *  # noqa: F403  all of them, and one more
from project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.counting"]
