"""Revokes an API key."""

from __future__ import annotations

import argparse
from typing import Any

from django.utils import timezone

from widgets_app.management.base import OneLineCommand
from widgets_app.services.keys import key_revoke


class Command(OneLineCommand):
    """Revokes a key for good."""

    help = "Revokes an API key. Servers refuse it within two seconds; it can't be made valid again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the key."""
        parser.add_argument("prefix", help="what stands between the two underscores of the key, or the whole key")

    def handle(self, *args: Any, prefix: str, **options: Any) -> None:
        """Revoke it; one that is revoked already stays so."""
        key = key_revoke(prefix=prefix)
        when = timezone.localtime(key.revoked_at).isoformat(" ", "seconds")
        self.stdout.write(f"Revoked: {key}, at {when}.")
