"""What the project's commands have in common."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from widgets_app.errors import DefinitionError, RequestError, one_line


class OneLineCommand(BaseCommand):
    """A command whose failures are told in one line on stderr, with an exit code other than 0."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; raises CommandError for whatever its user can do something about."""
        try:
            return super().execute(*args, **options)
        except DatabaseError as error:
            reason = str(error).rstrip(". \n")
            raise CommandError(
                one_line(f"The database can't be used: {reason}. If it is new, run: manage.py migrate")
            ) from error
        except (DefinitionError, RequestError, OSError) as error:
            raise CommandError(one_line(str(error))) from error


def header_of(text: str) -> tuple[str, str]:
    """Return the name and the value of a header written as `Name: value`; raises CommandError for anything else."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError("A header is written as 'Name: value'.")
    return name.strip(), value.strip()


def number_between(text: str, least: int, most: int) -> int:
    """Return a whole number of a command line; raises ArgumentTypeError for anything else."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number from {least} to {most}')
    return number
