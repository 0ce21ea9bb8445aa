"""Issues an API key."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import CommandError
from django.utils import timezone

from widgets_app.authentication import HEADER
from widgets_app.management.base import OneLineCommand
from widgets_app.models import ApiKey
from widgets_app.services.keys import key_issue
from widgets_app.services.row_values import Scalar, name_checked, values_read

UNITS = {"d": "days", "h": "hours"}
SHOWN_NAMES = 10  # of users or groups that an error lists


class Command(OneLineCommand):
    """Makes a key; its text is shown this once."""

    help = "Issues an API key. The key stands alone on the last line of the output; what it may do goes to stderr."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take whose key it is and what limits it."""
        parser.add_argument("name", help="whose or what for: Ana, Excel on the desk")
        parser.add_argument("--user", help="owner: the key has the owner's groups and stops working with the owner")
        parser.add_argument(
            "--group", action="append", default=[], help="group whose widgets it may see; may be given several times"
        )
        parser.add_argument("--expires", help="90d, 12h, or the last day it works: 2026-12-31. Without it: never")
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            help="network it works from, 10.0.0.0/8; may be given several times",
        )
        parser.add_argument(
            "--row",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="value for the placeholder :key_NAME of queries, which rows it may see: desk=EMEA, desk=EMEA,APAC, or "
            "'desk=*' for all; may be given several times",
        )
        parser.add_argument("--may-put-files", action="store_true", help="it may replace data files by PUT /-/files/")

    def handle(
        self,
        *args: Any,
        name: str,
        user: str | None,
        group: Sequence[str],
        expires: str | None,
        network: Sequence[str],
        row: Sequence[str],
        may_put_files: bool,
        **options: Any,
    ) -> None:
        """Issue the key, or nothing when anything of it is wrong."""
        key, text = key_issue(
            name=name,
            user=_user(user) if user is not None else None,
            groups=[_group(one) for one in group],
            expires_at=expiry(expires, now=timezone.localtime()) if expires is not None else None,
            networks=network,
            rows=_rows(row),
            may_put_files=may_put_files,
        )
        self.stderr.write(_described(key, group), str)
        self.stderr.write(f"Send it in the header {HEADER}. It is shown only this once:", str)
        self.stdout.write(text)


def expiry(text: str, *, now: datetime) -> datetime:
    """Return when a key ends: so many days or hours from now, or the end of a day in the zone of `now`."""
    if length := re.fullmatch(r"([0-9]{1,5})([dh])", text.strip()):
        end = now + timedelta(**{UNITS[length[2]]: int(length[1])})
    else:
        try:
            end = datetime.combine(date.fromisoformat(text.strip()), time.max, tzinfo=now.tzinfo)
        except ValueError:
            raise CommandError(f'"{text}" is no time to expire at. Write 90d, 12h or 2026-12-31.') from None
    if end <= now:
        raise CommandError(f'"{text}" is not in the future. Write 90d, 12h or a later day.')
    return end


def _user(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise _unknown("user", username, User.objects.order_by("username").values_list("username", flat=True))
    return found


def _group(name: str) -> Group:
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise _unknown("group", name, Group.objects.order_by("name").values_list("name", flat=True))
    return found


def _rows(given: Sequence[str]) -> dict[str, list[Scalar]]:
    found: dict[str, list[Scalar]] = {}
    for one in given:
        name, equals, values = one.partition("=")
        if not equals:
            raise CommandError(f'"{one}" is no row value. Write a name and its values, such as desk=EMEA.')
        found.setdefault(name_checked(name), []).extend(values_read(values))
    return found


def _unknown(word: str, name: str, names: Any) -> CommandError:
    there = ", ".join(names[:SHOWN_NAMES]) + (", …" if names.count() > SHOWN_NAMES else "")
    known = f"There are: {there}." if there else "There is none yet."
    return CommandError(f'There is no {word} "{name}". {known} Add {word}s in the admin.')


def _described(key: ApiKey, groups: Sequence[str]) -> str:
    until = timezone.localtime(key.expires_at).isoformat(" ", "seconds") if key.expires_at else "it is revoked"
    parts = [
        f"Key {key.name}, valid until {until}",
        f"owner {key.user.get_username()}" if key.user else "",
        f"groups {', '.join(groups)}" if groups else "",
        f"from {', '.join(key.networks)} only" if key.networks else "",
        *(f"{row.name} {', '.join(map(str, row.values))}" for row in key.row_values.all()),
        "may put files" if key.may_put_files else "",
    ]
    return "; ".join(filter(None, parts)) + "."
