"""What is checked at start: a fault that would show in a request is better told now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from widgets_app.models import Revision, triggers


@register(Tags.security, deploy=True)
def keys_are_asked_for(app_configs: object, **kwargs: Any) -> Sequence[CheckMessage]:
    """Complain about a deployment that is open to everybody."""
    if not settings.WIDGETS_OPEN:
        return []
    return [
        Warning(
            "WIDGETS_OPEN is on: everybody who reaches this server sees all its widgets and data.",
            hint="Take WIDGETS_OPEN out of the environment and issue keys.",
            id="widgets_app.W001",
        )
    ]


@register(Tags.database)
def triggers_are_in_place(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """Say which triggers are missing: without them, changes would not be served.

    A warning, since `migrate` refuses to run on errors, and it is what puts them in place.
    """
    if not databases or "default" not in databases:
        return []
    try:
        if Revision._meta.db_table not in connection.introspection.table_names():
            return []  # before the first migration
        missing = triggers.names() - triggers.installed()
    except DatabaseError as error:
        return [Error(f"The database can't be read: {error}", id="widgets_app.E001")]
    if not missing:
        return []
    return [
        Warning(
            f"{len(missing)} of the triggers that tell running servers about changes are missing.",
            hint="Run manage.py migrate, which puts them in place.",
            id="widgets_app.W002",
        )
    ]
