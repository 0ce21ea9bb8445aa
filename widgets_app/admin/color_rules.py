"""Colour rules of a column: one row of inputs for each, with rows to add and to remove."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from widgets_app import vocabulary
from widgets_app.admin.fields import Scalar, parse_json, same_text, show_json
from widgets_app.admin.members import member

Row = dict[str, str]

TEXTS = ("contains", "notContains")
BETWEEN = "between"
# What a row sends: the rule as it was, as JSON, and the inputs.
INPUTS = ("condition", "value", "min", "max", "color", "fill")
ON = "true"


class Rows(list[Row]):
    """Rows as they were sent."""


class RuleRows(forms.Widget):
    """The rows, and an empty one to copy."""

    template_name = "admin/widgets_app/color_rules.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Number the rows."""
        # The page binds each input to a variable of its name, which a table has none of.
        kept = {key: each for key, each in (attrs or {}).items() if not key.startswith("x-")}
        context = super().get_context(name, None, kept)
        conditions = list(vocabulary.COLOR_CONDITIONS)
        rows = [
            {**row, "number": number, "conditions": _offered(row, conditions), "odd": _odd(row)}
            for number, row in enumerate(value)
        ]
        return {**context, "rows": rows, "empty": {"number": "__n__", "conditions": conditions}}

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Rows:
        """Return the rows in their order."""
        found = (re.fullmatch(rf"{re.escape(name)}-([0-9]{{1,6}})-rule", key) for key in data)
        numbers = sorted(int(match[1]) for match in found if match)
        return Rows({key: data.get(f"{name}-{n}-{key}", "") for key in ("rule", *INPUTS)} for n in numbers)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Say no: without rows there are no rules."""
        return False


def _offered(row: Row, conditions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    word = row["condition"]
    known = not word or word in vocabulary.words(vocabulary.COLOR_CONDITIONS)
    return conditions if known else [*conditions, (word, f"Imported: {word}")]


def _odd(row: Row) -> str:
    """Return what is no rule at all, to be seen and removed."""
    return "" if row["rule"].startswith("{") else row["rule"]


class ColorRules(forms.Field):
    """A list of colour rules; rules that nobody touched stay to the letter, whatever they are."""

    widget = RuleRows

    def prepare_value(self, value: Any) -> Rows:
        """Return the rows of stored rules, or those that were sent."""
        return value if isinstance(value, Rows) else Rows(map(_row, value if isinstance(value, list) else ()))

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was sent."""
        return initial if self.disabled else data

    def to_python(self, value: Any) -> list[Any] | None:
        """Return the rules of rows, None without any."""
        return [_rule(row) for row in value if any(row.values())] or None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare rows."""
        shown = self.prepare_value(initial)
        sent = [row for row in data if any(row.values())]
        return len(shown) != len(sent) or any(map(_differ, shown, sent))


def _differ(shown: Row, sent: Row) -> bool:
    return any(not same_text(shown[key], sent[key], one_line=True) for key in shown)


def _row(rule: object) -> Row:
    """Return what a row shows of a rule; what is no rule shows nothing."""
    known: Mapping[str, Any] = rule if isinstance(rule, dict) else {}
    return {
        "rule": show_json(rule),
        "condition": _word(known.get("condition")),
        "value": _operand(known),
        "min": _shown(member(known, ("range", "min"))),
        "max": _shown(member(known, ("range", "max"))),
        "color": _word(known.get("color")),
        "fill": ON if known.get("fill") is True else "",
    }


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _shown(value: object) -> str:
    return "" if value is None else Scalar().show(value)


def _operand(rule: Mapping[str, Any]) -> str:
    value = rule.get("value")
    return value if isinstance(value, str) and rule.get("condition") in TEXTS else _shown(value)


def _rule(row: Row) -> Any:
    """Return the rule of a row: the one it was, with what was changed in it."""
    before = parse_json(row["rule"]) if row["rule"] else {"fill": False}
    shown = _row(before)
    changed = [key for key in INPUTS if not same_text(shown[key], row[key], one_line=True)]
    if not changed:
        return before
    rule = dict(before) if isinstance(before, dict) else {}
    for key in changed:
        _change(rule, key, row)
    return _without_other_operand(rule) if "condition" in changed else rule


def _change(rule: dict[str, Any], key: str, row: Row) -> None:
    text = row[key].strip()
    if key in ("min", "max"):
        limits = rule.get("range")
        rule["range"] = {**(limits if isinstance(limits, dict) else {}), key: Scalar().to_python(text)}
    elif key == "fill":
        rule["fill"] = text == ON
    elif not text:
        rule.pop(key, None)
    else:
        typed = key == "value" and row["condition"] not in TEXTS
        rule[key] = Scalar().to_python(text) if typed else text


def _without_other_operand(rule: dict[str, Any]) -> dict[str, Any]:
    """Take out what the new condition does not look at, and put a number where it looks for a text."""
    other = "value" if rule.get("condition") == BETWEEN else "range"
    kept = {key: value for key, value in rule.items() if key != other}
    if kept.get("condition") in TEXTS and isinstance(kept.get("value"), int | float):
        kept["value"] = _shown(kept["value"])
    return kept
