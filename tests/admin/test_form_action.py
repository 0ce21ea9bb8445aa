"""What the buttons of a form do, on the page of the form."""

from __future__ import annotations

import pytest

from tests.admin.conftest import Open
from tests.conftest import Define
from widgets_app import catalog
from widgets_app.models import FormAction, Parameter, Source, Widget
from widgets_app.services.publishing import widget_duplicate

pytestmark = pytest.mark.django_db

FORM = {
    "paramName": "entry",
    "type": "form",
    "inputParams": [{"paramName": "vessel", "type": "text"}, {"paramName": "add", "type": "button", "value": True}],
}


@pytest.fixture
def entry(define_widget: Define) -> Parameter:
    define_widget("log", params=[FORM])
    return Parameter.objects.get(param_name="entry")


@pytest.fixture
def log(db: None) -> Source:
    return Source.objects.create(name="log", kind="collection", options={"columns": ["vessel: text"]})


def test_a_collection_is_made_on_the_page_of_sources(add: Open) -> None:
    page = add("source")
    page.send(
        name="log",
        kind="collection",
        options__collection__columns="vessel: text, tons: number",
        options__collection__key="vessel",
    )
    assert Source.objects.get().options == {"columns": ["vessel: text", "tons: number"], "key": ["vessel"]}
    assert "no columns" in add("source").errors(name="other", kind="collection")


def test_a_button_is_given_something_to_do_and_the_form_a_path(entry: Parameter, log: Source, change: Open) -> None:
    form = change(entry).add_row("actions", button="add", does="append", source=str(log.pk), once_seconds="10")
    assert form.send().status_code == 302
    action = FormAction.objects.get()
    assert (action.button, action.does, action.source, action.once_seconds) == ("add", "append", log, 10)
    (served,) = catalog.current().entries["log"].forms
    assert (served.path, served.buttons) == ("log/entry", ("add",))
    assert served.actions[0].source == "log"


@pytest.mark.parametrize("does", ["append", "change", "delete"])
def test_whatever_a_button_does_can_be_done_once(entry: Parameter, log: Source, change: Open, does: str) -> None:
    form = change(entry).add_row("actions", does=does, source=str(log.pk), once_seconds="10")
    assert form.send().status_code == 302
    assert FormAction.objects.get().once_seconds == 10


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"does": "function", "function": "x"}, "Choose a source of the kind Python functions"),
        ({"does": "append", "function": "x"}, "takes one. Choose that, or leave this empty"),
        ({"does": "delete", "once_seconds": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_would_not_work_is_refused(
    entry: Parameter, log: Source, change: Open, row: dict[str, str], says: str
) -> None:
    form = change(entry).add_row("actions", source=str(log.pk), **row)
    assert says in form.errors()
    assert not FormAction.objects.exists()


def test_a_function_that_is_not_there_is_refused(entry: Parameter, change: Open) -> None:
    code = Source.objects.create(name="code", kind="python")
    form = change(entry).add_row("actions", source=str(code.pk), does="function", function="missing")
    assert "There is no function" in form.errors()


def test_a_copy_of_a_widget_has_forms_with_paths_of_their_own(entry: Parameter, log: Source) -> None:
    Parameter.objects.filter(pk=entry.pk).update(endpoint="log/entry")
    FormAction.objects.create(parameter=entry, source=log)
    copy = widget_duplicate(Widget.objects.get())
    assert copy.parameters.get(param_name="entry").endpoint == "log_copy/entry"
    assert FormAction.objects.filter(parameter__widget=copy).count() == 1
