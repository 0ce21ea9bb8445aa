"""Functions are registered under names, and found at start."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from django.test import override_settings

from widgets_app import functions
from widgets_app.errors import DefinitionError
from widgets_app.functions import data_function


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the functions of a test after it."""
    monkeypatch.setattr(functions, "_FUNCTIONS", {})


def test_a_function_is_registered_under_its_own_name():
    @data_function
    def prices(ticker: str, days: int = 30) -> None: ...

    assert list(functions.functions()) == ["prices"]
    assert list(functions.functions()["prices"].defaults) == ["ticker", "days"]


def test_a_function_is_registered_under_the_name_given():
    @data_function("fx rates")
    def prices(*, pair: str) -> None: ...

    assert functions.functions()["fx rates"].function is prices


def test_the_decorator_leaves_the_function_as_it_is():
    @data_function
    def prices(days: int) -> int:
        return days

    assert prices(3) == 3


def test_a_name_can_be_used_once_only():
    @data_function
    def prices() -> None: ...

    with pytest.raises(DefinitionError, match='Two functions are registered as "prices"'):
        data_function("prices")(lambda: None)
    assert data_function(prices) is prices


async def stream() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("wrong", [stream, dict, print])
def test_only_functions_can_be_registered(wrong: object):
    with pytest.raises(DefinitionError, match="only functions can"):
        data_function("made")(wrong)  # type: ignore[type-var]  # what a developer might try


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [(lambda *args: None, "args"), (lambda **kwargs: None, "kwargs"), (lambda days, /: None, "days")],
)
def test_every_argument_must_have_a_name_to_be_given_by(wrong: object, argument: str):
    with pytest.raises(DefinitionError, match=argument):
        data_function("made")(wrong)  # type: ignore[type-var]  # what a developer might try


def test_the_module_widgets_of_an_installed_app_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    app = tmp_path / "desk_for_test"
    app.mkdir()
    (app / "__init__.py").write_text("")
    (app / "widgets.py").write_text(
        "from widgets_app.functions import data_function\n\n\n@data_function\ndef hello():\n    return 'hi'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        with override_settings(INSTALLED_APPS=["desk_for_test"]):
            functions.autodiscover()
    finally:
        for name in ("desk_for_test", "desk_for_test.widgets"):
            sys.modules.pop(name, None)
    assert list(functions.functions()) == ["hello"]
