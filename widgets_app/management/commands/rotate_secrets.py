"""Encrypts the secrets of all sources with the present SECRET_KEY."""

from __future__ import annotations

from typing import Any

from widgets_app.errors import DefinitionError
from widgets_app.management.base import OneLineCommand
from widgets_app.services.sources import secrets_rotate


class Command(OneLineCommand):
    """Makes older keys unnecessary."""

    help = (
        "Encrypts the secrets of all sources with SECRET_KEY. Run it with the old key in SECRET_KEY_FALLBACKS; after "
        "that the old key can go. Runs again without harm."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt what an older key had encrypted; one that can't be read is named, and stays as it is."""
        changed, unreadable = secrets_rotate()
        self.stdout.write(f"Encrypted anew: {', '.join(changed)}." if changed else "Nothing had to be encrypted anew.")
        if unreadable:
            raise DefinitionError(
                f"Neither SECRET_KEY nor SECRET_KEY_FALLBACKS opens the secrets of {', '.join(unreadable)}. "
                "Add the key they were encrypted with, or enter them again."
            )
