#!/usr/bin/env python
"""The project's commands: `manage.py help` lists them."""

from __future__ import annotations

import os
import sys

TLS_OPTIONS = ("--https", "--certfile")


def main() -> None:
    """Run the command named on the command line; a bad setting ends it with one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    # The settings, and every process that the server starts, have to know it from the beginning.
    if any(argument.partition("=")[0] in TLS_OPTIONS for argument in sys.argv[1:]):
        os.environ["HTTPS"] = "1"
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.DEBUG  # noqa: B018  reading any setting loads them all, so that a bad one is told here
    except ImproperlyConfigured as error:
        sys.exit(f"Settings: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
