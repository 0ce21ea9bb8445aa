"""Imports definitions: manifests of any backend, or an export of this one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError

from widgets_app import catalog
from widgets_app.management.base import OneLineCommand, header_of
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.diff import Change
from widgets_app.services.bundles import (
    Bundle,
    ImportRefused,
    Options,
    Plan,
    Step,
    bundle_import,
    bundle_plan,
    from_inputs,
    grouped,
    host_of,
)

SIGNS = {"add": "+", "change": "~", "publish": "~", "remove": "-", "conflict": "!"}
QUIET = ("same", "skip")
SHOWN_CHARACTERS = 160  # of a value in a difference
SHOWN_NAMES = 3  # of definitions that a finding is about
# From so many definitions on, a person wants to see that it goes on.
PROGRESS_FROM = 100


class Command(OneLineCommand):
    """Reads definitions and publishes them."""

    help = (
        "Imports widgets.json, apps.json and agents.json, and backend.json of an export: files, a folder, an archive, "
        "or the address of a running backend. All or nothing; a second import of the same changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what to import and how."""
        parser.add_argument("inputs", nargs="+", metavar="PATH_OR_URL", help="file, folder, zip archive or address")
        parser.add_argument("--upstream", default="", metavar="URL", help="backend that the data is fetched from")
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            metavar="'K: V'",
            help="header for reading from an address, and for the upstream; may be given several times",
        )
        parser.add_argument(
            "--on-conflict",
            choices=("fail", "skip", "replace"),
            default="fail",
            help="what to do with definitions that are here already and differ (default: fail, nothing is imported)",
        )
        parser.add_argument("--modernise", action="store_true", help="rewrite old spellings, and show each rewrite")
        parser.add_argument("--prune", action="store_true", help="remove what is here and not in the bundle")
        parser.add_argument("--dry-run", action="store_true", help="only show what would be done")

    def handle(self, *args: Any, inputs: Sequence[str], dry_run: bool, **options: Any) -> None:
        """Import, or show what an import would do."""
        wanted = _options(inputs, options)
        hosts = frozenset(wanted.private_hosts)
        bundle = from_inputs(inputs, headers=wanted.headers, private_hosts=hosts)
        plan = bundle_plan(bundle, wanted) if dry_run else self._import(bundle, wanted)
        self._show(plan, dry_run=dry_run, verbosity=options["verbosity"])
        if dry_run and plan.conflicts:
            raise CommandError(str(ImportRefused(plan)))

    def _import(self, bundle: Bundle, options: Options) -> Plan:
        try:
            plan = bundle_import(bundle, options, progress=self._progress)
        except ImportRefused as refused:
            self._lines(line for step in refused.plan.conflicts for line in described(step))
            raise
        catalog.check()
        return plan

    def _progress(self, done: int, total: int) -> None:
        if total >= PROGRESS_FROM:
            end = "\n" if done == total or not self.stderr.isatty() else "\r"
            self.stderr.write(f"Imported {done} of {total}", str, ending=end)

    def _show(self, plan: Plan, *, dry_run: bool, verbosity: int) -> None:
        for kind, name, changes in plan.modernised:
            self._lines([f"* {kind} {name} is modernised", *map(changed, changes)])
        self._lines(line for step in plan.steps if step.action not in QUIET for line in described(step))
        self._lines(f"~ order of {kind}s" for kind in plan.moved)
        self._lines(_findings(plan, verbosity))
        self.stdout.write(_summary(plan, dry_run=dry_run))

    def _lines(self, lines: Iterable[str]) -> None:
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        for line in lines:
            self.stdout.write(printable(line).encode(encoding, "backslashreplace").decode(encoding))


def described(step: Step) -> Iterator[str]:
    """Yield the lines that show a step: what it is about, and each changed key."""
    note = " (published as it is)" if step.action == "publish" else ""
    yield f"{SIGNS[step.action]} {step.kind} {step.name}{note}"
    yield from (changed(change) for change in step.changes)


def changed(change: Change) -> str:
    """Return the line that shows a changed key."""
    old, new = _cut(change.old), _cut(change.new)
    if change.kind == "added":
        return f"    + {change.where}: {new}"
    if change.kind == "removed":
        return f"    - {change.where}: {old}"
    return f"    ~ {change.where}: {old} → {new}"


def printable(line: str) -> str:
    """Return a line without what other people's names could do to a terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else ascii(mark)[1:-1] for mark in line)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _options(inputs: Sequence[str], given: dict[str, Any]) -> Options:
    upstream = given["upstream"]
    if upstream and not host_of(upstream):
        raise CommandError(f'"{upstream}" is no address. Write http://host:port or https://host.')
    # Whoever gives an address on the command line means the host behind it, private or not.
    hosts = tuple(dict.fromkeys(host for text in (upstream, *inputs) if (host := host_of(text))))
    return Options(
        upstream=upstream,
        headers=dict(header_of(text) for text in given["header"]),
        private_hosts=hosts,
        on_conflict=given["on_conflict"],
        modernise=given["modernise"],
        prune=given["prune"],
    )


def _findings(plan: Plan, verbosity: int) -> Iterator[str]:
    """Yield what is to be said: each kind of finding once with a few of its places, or all of them with -v 2."""
    groups = grouped(plan.findings)
    if groups:
        count = len(plan.findings)
        yield f"\nFindings: {count} of {len(groups)} kind{'s' if len(groups) > 1 else ''}"
    for group in groups:
        can = ", modernise mends it" if group.modernised else ""
        yield f"  {group.first.severity}: {group.code}, {len(group.findings)} times{can}"
        yield f"    {group.first.message} {group.first.fix}"
        shown = group.findings if verbosity > 1 else group.findings[:SHOWN_NAMES]
        for found in shown:
            yield f"      {found.file}: {found.kind} {found.name}{_at(found.finding)}"
        if len(group.findings) > len(shown):
            yield f"      and {len(group.findings) - len(shown)} more; all with -v 2"


def _at(finding: Finding) -> str:
    return f", {finding.where}" if finding.where else ""


def _summary(plan: Plan, *, dry_run: bool) -> str:
    words = {"add": "added", "change": "changed", "publish": "published", "remove": "removed"}
    parts = [f"{count} {word}" for action, word in words.items() if (count := plan.count(action))]  # type: ignore[arg-type]
    parts += [f"{plan.count('skip')} skipped"] if plan.count("skip") else []
    parts += [f"{plan.count('same')} unchanged"] if plan.count("same") else []
    done = ", ".join(parts) or "nothing in it"
    if dry_run:
        return f"\nNothing was changed. An import would do this: {done}."
    return f"\nImported: {done}." if plan.acts else f"\nNothing to do: {done}."
