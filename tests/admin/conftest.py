"""People who sign in to the admin, and addresses of its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.admin import backend
from tests.admin.pages import Form, Page
from tests.conftest import Define, refresh
from widgets_app.manifest.reading import read_agent
from widgets_app.models import Agent, Source
from widgets_app.services.publishing import definition_publish

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


@pytest.fixture(scope="session")
def backend_port() -> Iterator[int]:
    """The port of a backend that asks for a key."""
    with backend.running() as port:
        yield port


@pytest.fixture
def upstream(backend_port: int, db: None) -> Source:
    """The source for that backend, with its key."""
    return backend.source(backend_port)


@pytest.fixture
def define_agent(db: None) -> Define:
    """Make and publish an agent; keyword arguments are keys of its definition."""

    def define(agent_id: str = "analyst", *, upstream: str | None = None, **keys: Any) -> Agent:
        definition = {
            "name": "Analyst", "description": "Knows prices.",
            "endpoints": {"query": "ask" if upstream else "https://agents.example.com/ask"},
            "features": {"streaming": True}, **keys,
        }  # fmt: skip
        agent = read_agent({"id": agent_id, "agent": definition, "upstream": upstream})
        definition_publish(agent, strict=False)
        refresh()
        return agent

    return define
