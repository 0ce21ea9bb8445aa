"""The first steps of somebody who has just started the backend for the first time."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from widgets_app.authentication import HEADER, digest
from widgets_app.management.base import OneLineCommand
from widgets_app.models import ApiKey
from widgets_app.services.keys import key_issue

FILE = "welcome.json"
KEY_NAME = "make run"
ADMIN = "admin"
ANOTHER_KEY = "Issue another: manage.py issue_key NAME"

Kept = dict[str, str]


class Command(OneLineCommand):
    """Makes an administrator and a key where there are none, and says how to connect."""

    help = "Makes an admin user and an API key if there are none, and says how to connect Workspace."

    def handle(self, *args: Any, **options: Any) -> None:
        """Show what was made, now or in an earlier run, and whether it still works."""
        path = Path(settings.WIDGETS_HOME) / FILE
        kept = _read(path)
        before = dict(kept)
        with transaction.atomic():
            login, header = _login(kept), _header(kept)
            if kept != before:
                _write(path, kept)
        self.stdout.write(_block(login, header, _note(path, login + header, kept)))


def _login(kept: Kept) -> str:
    """Return the login of an administrator, made if there is none; or what to do where it isn't known."""
    if not User.objects.filter(is_superuser=True).exists():
        if User.objects.filter(username=ADMIN).exists():
            return f'"{ADMIN}" is no administrator, and nobody else is. Make one: manage.py createsuperuser'
        kept.update(username=ADMIN, password=secrets.token_urlsafe(12))
        User.objects.create_superuser(username=kept["username"], password=kept["password"])
    user = User.objects.filter(username=kept.get("username", ""), is_superuser=True).first()
    if user is None:
        name = User.objects.filter(is_superuser=True).earliest("pk").get_username()
        return f"{name}, whose password is not kept here. Set another: manage.py changepassword {name}"
    if not (user.is_active and user.check_password(kept.get("password", ""))):
        return f"{user}, changed since it was shown. Set a password: manage.py changepassword {user}"
    return f"{user} / {kept['password']}"


def _header(kept: Kept) -> str:
    """Return the header to paste, with a key made if there is none; or what to do where it isn't known."""
    if not ApiKey.objects.filter(name=KEY_NAME).exists():
        kept["key"] = key_issue(name=KEY_NAME)[1]
    text = kept.get("key", "")
    if not text:
        return f'{HEADER}: the key "{KEY_NAME}", which was shown when it was made. {ANOTHER_KEY}'
    fault = _fault(text)
    return f"the key shown before {fault}. {ANOTHER_KEY}" if fault else f"{HEADER}: {text}"


def _fault(text: str) -> str:
    """Say why a key doesn't work any more; nothing if it does."""
    prefix, _, secret = text.partition("_")[2].partition("_")
    key = ApiKey.objects.filter(prefix=prefix, digest=digest(secret)).first()
    if key is None:
        return "is not in this database"
    if key.revoked_at:
        return "was revoked"
    return "has expired" if key.expires_at and key.expires_at <= timezone.now() else ""


def _note(path: Path, shown: str, kept: Kept) -> str:
    secret = [name for name in ("password", "key") if kept.get(name) and kept[name] in shown]
    if not secret:
        return ""
    what = " and the ".join(secret)
    return f"  Also in {path}, which only you can read.\n  Delete it when you have noted the {what}.\n\n"


def _block(login: str, header: str, note: str) -> str:
    return (
        "\n"
        "  The backend is ready for OpenBB Workspace.\n\n"
        f"  URL      {settings.PUBLIC_URL}\n"
        f"  Header   {header}\n"
        f"  Admin    {settings.PUBLIC_URL}/admin/\n"
        f"  Login    {login}\n\n"
        f"{note}"
        '  Next: in Workspace choose "Add data", paste the URL and the header, and open the app "Showcase".\n'
    )


def _read(path: Path) -> Kept:
    with suppress(FileNotFoundError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {name: text for name, text in found.items() if isinstance(text, str)}
    return {}


def _write(path: Path, kept: Kept) -> None:
    """Replace the file by one that nobody else can read, not even for a moment."""
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(waiting, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=2)
    os.replace(waiting, path)
