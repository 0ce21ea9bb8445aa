"""People who sign in to the admin, and addresses of its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.admin.pages import Form, Page

Open = Callable[..., Form]


def url(model: str, page: str = "changelist", *args: Any) -> str:
    """Return the address of a page of the admin."""
    return reverse(f"admin:widgets_app_{model}_{page}", args=args)


@pytest.fixture
def boss(db: None) -> Client:
    """A client signed in as somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss", password="-"))
    return client


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Make a client signed in as somebody with these permissions only, given as `view_widget`."""

    def sign_in(*codenames: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def change(boss: Client) -> Open:
    """Open the form of a row."""

    def open_form(row: Any) -> Form:
        name = row._meta.model_name
        return Page(boss, url(name, "change", row.pk)).form(f"{name}_form")

    return open_form


@pytest.fixture
def add(boss: Client) -> Open:
    """Open the form that adds a row."""
    return lambda model: Page(boss, url(model, "add")).form(f"{model}_form")
