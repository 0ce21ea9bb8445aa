"""The documentation says what the code does: options, variables, commands, links and examples are compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from django.core.management import get_commands
from pydantic.fields import FieldInfo

from widgets_app import functions, vocabulary
from widgets_app.shapes import registry as shapes_registry
from widgets_app.shapes.registry import shapes
from widgets_app.sources import http_text
from widgets_app.sources import registry as sources_registry
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesOptions
from widgets_app.sources.http_rows import rows_of
from widgets_app.sources.putting import store_file

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
LINKED = [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md"]
OPTIONS = [
    (kind, name, field) for kind, shape in shapes().items() for name, field in shape.Options.model_fields.items()
]


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, word: str) -> str:
    """Return the part of a page under the heading that names `word`."""
    parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return next(part for part in parts if f"`{word}`" in part.partition("\n")[0])


def section_of(page: str, heading: str) -> str:
    """Return the part of a page under a heading."""
    return read(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def option_row(name: str, field: FieldInfo) -> str:
    """Return the line of widget-types.md that tells about one option."""
    default = field.get_default(call_default_factory=True)
    shown = "empty" if default in ("", [], {}) else f"`{orjson.dumps(default).decode().strip(chr(34))}`"
    others = "".join(f", `{word}`" for word in get_args(field.annotation) if isinstance(word, str) and word != default)
    values = f"{shown} (default){others}" if others else shown
    return f"| {field.title} | `{name}` | {values} | {field.description} |"


def blocks(name: str, language: str) -> Iterator[str]:
    """Yield the code blocks of a page in one language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", read(name), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("kind", "name", "field"), OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_option_of_every_shape_is_explained(kind: str, name: str, field: FieldInfo) -> None:
    assert option_row(name, field) in section(read("widget-types.md"), kind)


def test_the_page_of_widget_types_has_a_heading_for_each_type_and_no_other() -> None:
    headings = re.findall(r"^## .*$", read("widget-types.md"), flags=re.MULTILINE)
    named = {word for heading in headings for word in re.findall(r"`([\w-]+)`", heading)}
    assert named == set(shapes())


def test_the_page_of_widget_types_names_the_types_that_get_no_data_yet() -> None:
    page = read("widget-types.md")
    assert [word for word, _ in vocabulary.WIDGET_TYPES if f"`{word}`" not in page] == []


def test_every_environment_variable_is_in_the_page_and_no_other() -> None:
    settings = (ROOT / "project" / "settings.py").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z_]+)` \|", read("configuration.md"), flags=re.MULTILINE)
    assert sorted(documented) == sorted(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
    relative = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in relative if not (page.parent / target).is_file()] == []


def test_the_index_leads_to_every_page() -> None:
    index = read("README.md")
    assert [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in index] == []


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"manage\.py (\w+)", page.read_text(encoding="utf-8"))
    assert [command for command in named if command not in get_commands()] == []


@pytest.mark.parametrize("page", ["queries.md", "first-widget.md", "widget-types.md"])
def test_every_query_of_a_page_runs_on_the_file_of_the_first_widget(page: str, settings: Any, tmp_path: Path) -> None:
    settings.WIDGETS_FILES = tmp_path
    backend = FilesBackend("shop", FilesOptions())
    store_file(backend, "sales.csv", [next(blocks("first-widget.md", "csv")).encode()])
    queries = list(blocks(page, "sql"))
    assert queries
    for text in queries:
        prepared = backend.prepare(text)
        prepared.run(dict.fromkeys(prepared.placeholders), Limits(), Call())


def test_the_python_functions_of_the_page_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_FUNCTIONS", {})
    for example in blocks("python-functions.md", "python"):
        if "pandas" not in example:  # it does not come with the project
            exec(example, {})  # noqa: S102  our own page
    registered = functions.functions()
    caller: dict[str, object] = {"name": "Desk", "user": None, "groups": []}
    assert registered["squares"]({"count": 2}, caller) == [{"number": 1, "square": 1}, {"number": 2, "square": 4}]
    assert registered["greeting"]({"name": None}, caller) == "Hello **you**, from Desk."
    held: dict[str, object] = {**caller, "values": {"desk": ["APAC"]}}
    assert registered["positions"]({}, held) == [{"desk": "APAC", "size": 7}]
    assert registered["hello_world"]({"name": "Ana"}, caller) == "# Hello World Ana"


def test_the_source_and_the_shape_of_the_architecture_page_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_registry, "_KINDS", {})
    monkeypatch.setattr(shapes_registry, "_SHAPES", {})
    for number, example in enumerate(blocks("architecture.md", "python")):
        exec(example, {"__name__": f"example_{number}"})  # noqa: S102  our own page
    assert len(sources_registry.kinds()) == 1
    assert len(shapes_registry.shapes()) == 1


def doctor_codes() -> set[str]:
    """Return the codes that the doctor's own modules name."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "widgets_app" / "doctor").glob("*.py"))
    told = re.findall(
        r'\b(?:error|warning|info|_wrong|Said)\(\s*(?:"(?:error|warning|info)",\s*)?"([a-z]+-[a-z-]+|slow|large)"', text
    )
    tables = re.findall(r'^    (?:\(?|"[\w-]+": \(?)"([a-z]+(?:-[a-z]+)+)",', text, re.MULTILINE)
    return {*told, *tables}


def test_every_finding_of_the_doctor_is_explained() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", read("troubleshooting.md")))
    assert len(doctor_codes()) > 100
    assert not doctor_codes() - named


def test_requests_of_the_page_of_apis_are_read_and_their_answers_give_rows() -> None:
    examples = re.findall(
        r"^```http\n(.*?)^```$(?:\n\n[^`]*^```json\n(.*?)^```$|\n)?", read("http.md"), re.DOTALL | re.MULTILINE
    )
    requests = [http_text.read(request) for request, _ in examples]
    assert len(requests) == len([*blocks("http.md", "http")])
    made = [
        rows_of(orjson.loads(answer), query, "API")
        for query, (_, answer) in zip(requests, examples, strict=True)
        if answer
    ]
    assert len(made) == 4
    assert all(None not in row.values() for rows in made for row in rows)


def test_every_setting_of_a_request_is_in_the_page() -> None:
    table = section_of("http.md", "A query")
    assert set(http_text.SETTINGS) == set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))
    )
