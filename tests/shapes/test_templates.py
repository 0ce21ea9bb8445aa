from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets_app.errors import SourceFailed
from widgets_app.shapes import templates
from widgets_app.shapes.base import NO_VALUE
from widgets_app.shapes.filters import FILTERS, VALUE_LIMIT
from widgets_app.shapes.page import escaped
from widgets_app.shapes.templates import OUTPUT_LIMIT, TAGS, TEXT_LIMIT, check

ROWS: list[dict[str, Any]] = [{"port": "RIX", "calls": 41}, {"port": "VNO", "calls": None}]


def render(text: str, /, **values: Any) -> str:
    return templates.render(check(text), values, escape=escaped)


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"\A.+\Z") as caught:
        check(text)
    return str(caught.value)


def test_rows_are_looped_over_and_lines_of_tags_leave_no_line() -> None:
    text = "Ports\n{% for row in rows %}\n- {{ row.port }}: {{ row.calls }}\n  {% endfor %}  \n{# end #}\ndone"
    assert render(text, rows=ROWS) == "Ports\n- RIX: 41\n- VNO: \N{EN DASH}\ndone"


def test_conditions_loops_names_and_changes_work() -> None:
    text = (
        "{% for row in rows reversed %}{% ifchanged row.k %}[{{ row.k }}]{% endifchanged %}"
        "{% with n=row.n %}{% if n > 1 and row.k in 'ab' %}{{ forloop.counter }}{% elif n %}one{% else %}-{% endif %}"
        "{% endwith %}{% endfor %}{% for row in none %}x{% empty %} none{% endfor %}{% comment %}{{ x }}{% endcomment %}"
    )
    rows = [{"k": "b", "n": 2}, {"k": "a", "n": 0}, {"k": "a", "n": 1}]
    assert render(text, rows=rows, none=[]) == "[a]one-[b]3 none"


def test_members_of_an_object_are_looped_over_and_a_column_named_items_wins() -> None:
    loop = "{% for name, value in first.items %}{{ name }}={{ value }};{% endfor %}"
    assert render(loop, first=ROWS[0]) == "port=RIX;calls=41;"
    assert render("{{ first.items }}", first={"items": 3}) == "3"
    assert render("{{ rows.1.port }}{{ rows.7.port|default:'none' }}", rows=ROWS) == "VNOnone"


@pytest.mark.parametrize(
    "name",
    [
        "rows.clear",
        "rows.pop",
        "first.keys",
        "first.copy",
        "text.upper",
        "text.format",
        "first.port.0",
        "n.real",
        "gone.x",
    ],
)
def test_attributes_and_methods_are_out_of_reach(name: str) -> None:
    rows = [dict(row) for row in ROWS]
    assert render("{{ " + name + " }}", rows=rows, first=rows[0], text="abc", n=1) == NO_VALUE
    assert rows == ROWS


@pytest.mark.parametrize("name", ["_x", "first.__class__", "rows.0.__init__.__globals__"])
def test_hidden_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="underscores"):
        check("{{ " + name + " }}")


@pytest.mark.parametrize(
    "tag",
    [
        "include 'x'",
        "extends 'x'",
        "load static",
        "debug",
        "csrf_token",
        "url 'x'",
        "now 'Y'",
        "autoescape off",
        "lorem",
    ],
)
def test_tags_that_reach_beyond_the_data_are_refused(tag: str) -> None:
    with pytest.raises(ValueError, match=rf'Line 2: There is no tag "{tag.split()[0]}" .* Use one of comment, for, if'):
        check("a\n{% " + tag + " %}")


@pytest.mark.parametrize("name", ["safe", "ljust", "center", "stringformat", "floatformat", "add", "pprint", "random"])
def test_filters_that_trust_or_swell_a_value_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf'There is no filter "{name}"\. Use one of number'):
        check("{{ x|" + name + ":2 }}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for row in rows %}", "Line 1: Unclosed tag on line 1: 'for'"),
        ("{% if %}{% endif %}", "Line 1: "),
        ("\n{{ }}", "Line 2: Empty variable tag"),
        ("{% for row in rows %}\r\n  {# all #}\n{{ }}{% endfor %}", "Line 3: Empty variable tag"),
        ("{% %}", "Line 1: Empty block tag"),
        ("{% endif %}", 'no tag "endif"'),
        ("{{ a b }}", "Could not parse the remainder"),
        ("{{ a|number:1:2 }}", "Could not parse"),
        ("{{ a|slice }}", "requires 2 arguments"),
        ("{{ a" + "|upper" * 11 + " }}", "11 filters on one value"),
        ("{{ '" + "x" * 1000 + "' }}", "longer than 1,000 characters"),
        ("{% if a %}" * 2000 + "{% endif %}" * 2000, "nested too deeply"),
        ("x" * (TEXT_LIMIT + 1), "100,001 characters. Shorten"),
    ],
)
def test_a_template_that_is_wrong_is_told_in_one_line(text: str, says: str) -> None:
    assert says in refusal(text)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("12345.678|number", "12,345.678"),
        ("12345.678|number:1", "12,345.7"),
        ("'9007199254740993'|number", "9,007,199,254,740,993"),
        ("none|number:1", NO_VALUE),
        ("word|number", "RIX"),
        ("0.042|percent", "4.2%"),
        ("0.042|percent:0", "4%"),
        ("2.5|signed", "+2.5"),
        ("-2|signed:0", "-2"),
        ("1234567|compact", "1.2M"),
        ("-1500|compact:2", "-1.50K"),
        ("12|compact", "12.0"),
        ("day|date", "1 Mar 2026"),
        ("day|date:'Y/m'", "2026/03"),
        ("moment|date:'H:i'", "08:05"),
        ("word|date", "RIX"),
        ("none|default:'nothing'", "nothing"),
        ("zero|default:'nothing'", "0"),
        ("word|lower|capfirst", "Rix"),
        ("'port of riga'|title|truncatewords:2", "Port Of…"),
        ("'port of riga'|upper|truncatechars:6", "PORT …"),
        ("'a b&c'|urlencode", "a%20b%26c"),
        ("many|join:' / '", "A / B"),
        ("many|first", "A"),
        ("many|last", "B"),
        ("many|length", "2"),
        ("many|slice:':1'|join", "A"),
        ("word|slice:'1:'", "IX"),
        ("word|slice:'-2::2'", "I"),
        ("zero|yesno", "no"),
        ("none|yesno:'y,n,?'", "?"),
        ("many|length|pluralize", "s"),
        ("1|pluralize:'y,ies'", "y"),
        ("4|divisibleby:2", "true"),
        ("4|divisibleby:0", "false"),
        ("many", "A,B"),
    ],
)
def test_filters_write_values(expression: str, shown: str) -> None:
    values: dict[str, Any] = {
        "word": "RIX",
        "zero": 0,
        "none": None,
        "many": ("A", "B"),
        "day": date(2026, 3, 1),
        "moment": "2026-03-01T08:05:00Z",
    }
    assert render("{{ " + expression + " }}", **values) == shown


def test_values_are_escaped_and_what_the_author_quotes_is_not() -> None:
    text = "{{ x }}{{ x|upper }}{{ none|default:'<i>no</i>' }}{{ none|default:x }}{{ many|join:'<br>' }}"
    assert render(text, x="<b>", none=None, many=["<u>"]) == "&lt;b&gt;&lt;B&gt;<i>no</i>&lt;b&gt;&lt;u&gt;"
    assert render("{% if x %}{% with y=x %}{{ y|default:'z' }}{% endwith %}{% endif %}", x="<b>") == "&lt;b&gt;"


def test_the_parts_of_a_bar_are_worked_out() -> None:
    assert render("{% widthratio calls most 100 %}", calls=41, most=82) == "50"


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in rows %}{% for b in rows %}{% for c in rows %}{{ a.t }}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in rows %}{{ long }}{% endfor %}",
        "{% for a in rows %}{% ifchanged %}{{ long }}{{ forloop.counter }}{% endifchanged %}{% endfor %}",
    ],
)
def test_output_stops_early_with_one_line(text: str) -> None:
    with pytest.raises(SourceFailed, match=f"more than {OUTPUT_LIMIT:,} characters. Show fewer rows"):
        render(text, rows=[{"t": "x" * 1000}] * 10_000, long="x" * 10_000)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in rows %}{% for b in rows %}{% for c in rows %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in rows %}{% if " + " or ".join(["'x' in rows"] * 50) + " %}x{% endif %}{% endfor %}",
    ],
)
def test_time_runs_out_with_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "SECONDS_LIMIT", 0.2)
    with pytest.raises(SourceFailed, match=r"longer than 0\.2 s. Show fewer rows"):
        render(text, rows=[{"t": "x"}] * 10_000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for a, b in rows %}{% endfor %}", "Need 2 values to unpack in for loop; got 1"),
        ("{% for a in n %}{% endfor %}", "Line 1: The loop goes over something that is no list. Loop over rows"),
        ("{{ n }}\n{% for a in rows %}\n{% for b in n %}{% endfor %}\n{% endfor %}", "Line 3: The loop"),
        (
            "{% if n %}\n{% comment %}\n\n{% endcomment %}\n{{ text|slice:text }}{% endif %}",
            "Line 5: slice takes places",
        ),
        ("{{ text|slice:'1:2:0' }}", 'such as slice:":5" or slice:"2:4", not "1:2:0". Correct the text.'),
        ("{{ text|truncatechars:text }}", 'truncatechars takes how many are shown, such as truncatechars:20, not "x"'),
        ("{{ text|truncatewords:'' }}", "truncatewords takes how many"),
        ("{{ n|number:400 }}", '"400" decimals were asked for, 0 to 12 are possible'),
        ("{{ n|date:long }}{{ day|date:long }}", "a date format has more than 100 characters"),
        ("{{ long|upper }}", f"a value has more than {VALUE_LIMIT:,} characters"),
        ("{{ longs|join:long }}", f"a joined list has more than {VALUE_LIMIT:,} characters"),
        ("{% widthratio n n text %}", "widthratio"),
    ],
)
def test_what_fails_on_the_data_is_told_in_one_line(text: str, says: str) -> None:
    long = "Y" * (VALUE_LIMIT + 1)
    with pytest.raises(SourceFailed) as caught:
        render(text, rows=[[1], [2]], n=3, day="2026-03-01", long=long, longs=["a", "b"], text="x")
    assert says in str(caught.value)
    assert str(caught.value).startswith("The widget's template failed: ")


WORDS = [*TAGS, *FILTERS, *(f"end{tag}" for tag in TAGS), "rows", "row", "first", ".items", ".0", "in", "and", "a"]
MARKS = ["{{ ", " }}", "{% ", " %}", "{#", "#}", "|", ":'x'", ":3", "'", '"', " ", "\n"]
PIECES = st.sampled_from([*WORDS, *MARKS])
WELL_FORMED = st.builds(
    lambda name, filters: "{{ " + name + "".join(filters) + " }}",
    st.sampled_from(["rows", "first", "first.port", "rows.0.calls", "gone", "3", "'x'"]),
    st.lists(
        st.builds(
            lambda name, arg: f"|{name}{arg}",
            st.sampled_from(sorted(FILTERS)),
            st.sampled_from(["", ":2", ":'j,x'", ":rows"]),
        ),
        max_size=4,
    ),
)


def outcome(text: str) -> str:
    try:
        return render(text, rows=ROWS, first=ROWS[0])
    except (ValueError, SourceFailed) as error:
        return str(error)


@given(st.lists(PIECES | WELL_FORMED | st.text(max_size=5), max_size=25).map("".join))
def test_whatever_the_text_nothing_but_our_errors_comes_out(text: str) -> None:
    assert len(outcome(text)) <= OUTPUT_LIMIT


@given(st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers() | st.text() | st.floats(allow_nan=False)))
def test_every_value_comes_out_escaped(values: dict[str, Any]) -> None:
    assert render("{{ a }}|{{ b }}|{{ c }}|{{ d }}", **values) == "|".join(escaped(values.get(name)) for name in "abcd")


@pytest.mark.parametrize("opening", ["{{", "{%", "{", "{{ x ", "{% if ", "{{ '"])
def test_tags_that_are_opened_and_never_closed_cost_no_more_than_text(opening: str) -> None:
    # A search that goes back from each of them would not come to an end here.
    text = (opening * TEXT_LIMIT)[:TEXT_LIMIT]
    assert check(text) == text
