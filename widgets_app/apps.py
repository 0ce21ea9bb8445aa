"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WidgetsAppConfig(AppConfig):
    """Definitions edited in the admin and served to OpenBB Workspace."""

    name = "widgets_app"
    verbose_name = "Workspace backend"

    def ready(self) -> None:
        """Find the Python functions of every app, and keep the revision triggers in place after migrations."""
        from widgets_app import checks, functions  # noqa: F401  importing the checks registers them
        from widgets_app.models.triggers import install

        functions.autodiscover()
        post_migrate.connect(install, sender=self)
