"""Secrets that are kept elsewhere: a source names them, and they are read whenever they are needed."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from pydantic import SecretStr

from widgets_app.errors import SourceFailed

ENVIRONMENT, FILE = "env:", "file:"
# Variables whose names begin so are for sources; who edits those must not reach the other secrets of the server.
PREFIX = "WIDGETS_SECRET_"
MOST_BYTES = 64 * 1024  # of a file with a secret

HELP = (
    f"{ENVIRONMENT}{PREFIX}NAME takes it from an environment variable of the server, "
    f"{FILE}NAME from a file in the folder for secrets."
)


def check(secret: SecretStr) -> None:
    """Raise ValueError for a reference that may not be followed, in one line that doesn't repeat anything else."""
    given = secret.get_secret_value()
    if given.startswith(ENVIRONMENT) and not _rest(given, ENVIRONMENT).startswith(PREFIX):
        raise ValueError(f"variables for sources begin with {PREFIX}; give it such a name")
    if given.startswith(FILE):
        _inside(_rest(given, FILE))


def is_reference(secret: SecretStr) -> bool:
    """Say whether it names a secret instead of being one."""
    return secret.get_secret_value().startswith((ENVIRONMENT, FILE))


def revealed(secret: SecretStr) -> str:
    """Return the secret itself. Raises SourceFailed where what it names isn't there."""
    given = secret.get_secret_value()
    if given.startswith(ENVIRONMENT):
        return _from_environment(_rest(given, ENVIRONMENT))
    return _from_file(_rest(given, FILE)) if given.startswith(FILE) else given


def _rest(given: str, beginning: str) -> str:
    return given.removeprefix(beginning).strip()


def _from_environment(name: str) -> str:
    if not (found := os.environ.get(name, "")):
        raise SourceFailed(f"The environment variable {name} with a secret of the source is not set. Set it, restart.")
    return found


def _from_file(name: str) -> str:
    try:
        with _inside(name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode().rstrip("\r\n")
    except ValueError as error:
        # What stood there when it was entered may be a link by now.
        raise SourceFailed(f"The file with a secret of the source can't be used: {error}.") from None
    except OSError:
        raise SourceFailed(f'The file "{name}" with a secret of the source can\'t be read. Put it there.') from None
    if not text or len(content) > MOST_BYTES:
        raise SourceFailed(f'The file "{name}" with a secret of the source is empty, or no secret. Replace it.')
    return text


def _inside(name: str) -> Path:
    folder = Path(os.path.realpath(settings.WIDGETS_SECRETS_FOLDER))
    named = folder / name.replace("\0", "")
    path = Path(os.path.realpath(named))
    # In folders below it, platforms keep what is theirs, such as the token of a container.
    if Path(os.path.realpath(named.parent)) != folder or folder not in path.parents:
        raise ValueError(f"files with secrets are in {folder}; name one of them, such as file:market")
    return path
