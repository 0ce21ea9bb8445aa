"""Secrets at rest, and their keys."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from widgets_app import sealing
from widgets_app.errors import DefinitionError
from widgets_app.models import Source

SECRETS = {"password": "tide-table-4711"}


def source(name: str) -> Source:
    options = {"url": "postgresql://ana@db.example/x"}
    return Source.objects.create(name=name, kind="database", options=options, secrets=sealing.seal(SECRETS))


def rotate() -> str:
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    return out.getvalue()


def test_an_older_key_still_opens_and_no_other_one(settings: Any) -> None:
    sealed = sealing.seal(SECRETS)
    first, settings.SECRET_KEY = settings.SECRET_KEY, "another-key"
    with pytest.raises(DefinitionError, match="SECRET_KEY_FALLBACKS"):
        sealing.unseal(sealed)
    settings.SECRET_KEY_FALLBACKS = ["a-third-key", first]
    assert sealing.unseal(sealed) == SECRETS


@pytest.mark.django_db
def test_secrets_are_encrypted_anew_and_the_older_key_can_go(settings: Any) -> None:
    source("one"), source("two")
    before = set(Source.objects.values_list("secrets", flat=True))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key", [settings.SECRET_KEY]
    assert rotate() == "Encrypted anew: one, two.\n"
    settings.SECRET_KEY_FALLBACKS = []
    assert not before & set(Source.objects.values_list("secrets", flat=True))
    assert [sealing.unseal(text) for text in Source.objects.values_list("secrets", flat=True)] == [SECRETS, SECRETS]
    assert rotate() == "Nothing had to be encrypted anew.\n"


@pytest.mark.django_db
def test_what_no_key_opens_is_named_and_stays(settings: Any) -> None:
    lost = source("lost")
    settings.SECRET_KEY = "another-key"
    kept = source("kept")
    with pytest.raises(CommandError, match="opens the secrets of lost"):
        rotate()
    assert {lost.secrets, kept.secrets} == set(Source.objects.values_list("secrets", flat=True))
