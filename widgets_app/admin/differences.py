"""What pages show of differences and of findings: enough to judge by, and how much more there is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from widgets_app.manifest.contract import Finding
from widgets_app.manifest.diff import Change
from widgets_app.services.bundles import Group, Reported

VALUE_SHOWN = 160  # characters of a value in a difference
CHANGES_SHOWN = 30  # of one definition
DEFINITIONS_SHOWN = 50  # with their differences
PLACES_SHOWN = 5  # of one kind of finding in one definition

KINDS_SHOWN = 20  # of changes

_ENTRY = re.compile(r"\[[^\]]*\]")

Urls = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """How one definition changes; `more` counts the changes that are not shown, `note` says what is to be known."""

    kind: str
    name: str
    changes: Sequence[Change]
    more: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """The first entries of a list, and how many more there are."""

    shown: Sequence[Any]
    total: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in one definition something was found."""

    kind: str
    name: str
    url: str
    file: str
    where: Listed


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All findings of one kind, by definition; `folded` are those behind the first ones."""

    title: str
    first: Finding
    total: int
    differ: bool
    modernised: bool
    places: Listed
    folded: Sequence[Place]

    @property
    def left(self) -> int:
        """How many definitions are not listed at all."""
        return self.places.more - len(self.folded)


def listed(entries: Iterable[Any], limit: int) -> Listed:
    """Return what to show of a list."""
    found = list(entries)
    return Listed(found[:limit], len(found))


def difference(kind: str, name: str, changes: Sequence[Change], note: str = "") -> Difference:
    """Return what to show of the changes of one definition."""
    shown = [replace(change, old=cut(change.old), new=cut(change.new)) for change in changes[:CHANGES_SHOWN]]
    return Difference(kind, name, shown, len(changes) - len(shown), note)


def tallied(changes: Iterable[Change]) -> Listed:
    """Return what changes most: what is done, where, whichever entry of a list it is, and how often."""
    counts = Counter((change.kind, _ENTRY.sub("[…]", change.where)) for change in changes)
    return listed(((kind, where, number) for (kind, where), number in counts.most_common()), KINDS_SHOWN)


def cut(text: str) -> str:
    """Return a value short enough to read."""
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}…"


def finding_groups(groups: Iterable[Group], *, shown: int, folded: int, urls: Urls) -> list[FindingGroup]:
    """Return what to show of grouped findings: so many definitions of each, and so many more behind a fold."""
    return [_group(group, shown, folded, urls) for group in groups]


def _group(group: Group, shown: int, folded: int, urls: Urls) -> FindingGroup:
    found: dict[tuple[str, str], list[Reported]] = {}
    for reported in group.findings:
        found.setdefault((reported.kind, reported.name), []).append(reported)
    places = [_place(reported, urls) for reported in list(found.values())[: shown + folded]]
    return FindingGroup(
        title=group.code.replace("-", " ").capitalize(),
        first=group.first,
        total=len(group.findings),
        differ=any(each.finding.message != group.first.message for each in group.findings),
        modernised=group.modernised,
        places=Listed(places[:shown], len(found)),
        folded=places[shown:],
    )


def _place(reported: Sequence[Reported], urls: Urls) -> Place:
    first = reported[0]
    where = listed((each.finding.where for each in reported if each.finding.where), PLACES_SHOWN)
    return Place(first.kind, first.name, urls.get((first.kind, first.name), ""), first.file, where)
