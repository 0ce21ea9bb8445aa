"""Real files of other people, the way of a user: imported, exported, imported again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundles.conftest import AGENTS, APPS, CORPUS, WIDGETS, actions, bring, here, needs_corpus, taken_out
from tests.manifest.test_round_trip import text
from widgets_app.errors import DefinitionError
from widgets_app.services.bundles import Bundle, from_files, from_inputs

pytestmark = [needs_corpus, pytest.mark.django_db]

FILES = sorted(CORPUS.rglob("*.json")) if CORPUS.is_dir() else []
FOLDERS = sorted({path.parent for path in FILES})
BROKEN = "-broken"
# A list of apps that is called widgets.json.
MISNAMED = ("thresholdmacro-py-bis",)


def is_refused(path: Path) -> bool:
    return path.parent.name.endswith(BROKEN) or path.parent.name in MISNAMED


def kind_of(path: Path) -> str:
    return next(kind for kind in (WIDGETS, APPS, AGENTS) if kind.startswith(path.stem.partition("_")[0]))


def allowed(kind: str, content: Any) -> Any:
    """Return what has to come back: not an id that says what the key says, and a list of apps even for one."""
    if kind == APPS:
        return content if isinstance(content, list) else [content]
    return {key: _without_id(key, entry) for key, entry in content.items()}


def _without_id(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if (name, value) != ("widgetId", key)}


def name_of(path: Path) -> str:
    return "/".join(path.relative_to(CORPUS).parts)


@pytest.mark.parametrize("path", [path for path in FILES if not is_refused(path)], ids=name_of)
def test_a_real_file_is_exported_as_it_was_imported(path: Path) -> None:
    files, kind = {path.name: path.read_bytes()}, kind_of(path)
    original = allowed(kind, json.loads(files[path.name]))
    assert bring(files).acts == bool(original)
    exported = taken_out()[kind]
    assert text(exported) == text(original)
    assert kind == APPS or list(exported) == list(original)
    plan = bring(files)
    assert not plan.acts, actions(plan)


@pytest.mark.parametrize("path", [path for path in FILES if is_refused(path)], ids=name_of)
def test_a_broken_file_is_refused_with_its_place_and_changes_nothing(path: Path) -> None:
    before = here()
    with pytest.raises(DefinitionError) as caught:
        bring({path.name: path.read_bytes()})
    place = rf"{path.name}, line \d+, column \d+: " if path.parent.name.endswith(BROKEN) else f"{path.name}: "
    assert caught.match(f"^{place}[A-Z\"'{{/].*[.]$")
    assert here() == before


def read(folder: Path) -> Bundle | None:
    try:
        return from_inputs([str(folder)], headers={}, private_hosts=frozenset())
    except DefinitionError:
        return None


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if read(folder)], ids=name_of)
def test_a_real_backend_is_imported_once_with_every_option(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.glob("*s.json")}
    options: dict[str, Any] = {
        "upstream": "https://depot.example.org", "headers": {"X-Key": "hidden"}, "modernise": True, "prune": True
    }  # fmt: skip
    bring(files, **options)
    before = here()
    plan = bring(files, **options)
    assert not plan.acts, (actions(plan), [step.changes for step in plan.steps if step.acts])
    assert here() == before


def test_the_collection_is_what_it_was_when_this_was_written() -> None:
    assert len(FILES) == 150
    assert sum(map(is_refused, FILES)) == 18
    assert from_files([(name_of(FILES[0]), FILES[0].read_bytes())])
