"""What an answer of status 200 holds, looked at as the client for its type of widget looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from widgets_app.doctor.manifests import NO_NUMBERS
from widgets_app.doctor.probe import Seen
from widgets_app.doctor.questions import PAGE, SSRM, Question
from widgets_app.errors import DefinitionError
from widgets_app.manifest.contract import Severity
from widgets_app.manifest.contract.findings import as_list, as_object, is_number, is_text, show
from widgets_app.manifest.contract.widgets import widget_type
from widgets_app.manifest.parsing import parse


class Said(NamedTuple):
    """A finding without its place, which is the widget's."""

    severity: Severity
    code: str
    message: str
    fix: str


Saids = Iterator[Said]
Definition = Mapping[str, Any]
# Rows that are looked at one by one.
SAMPLE = 2_000
NAMED = 5
NEWS_KEYS = ("title", "date", "author", "excerpt", "body")
FILE_KINDS = ("pdf", "csv", "txt", "xlsx", "xls", "jpg", "jpeg", "png", "markdown")
VIDEOS = ("youtube.com/", "youtu.be/", "youtube-nocookie.com/")
BARS = ("o", "h", "l", "c")


def check(one: Question, definition: Definition, seen: Seen) -> Saids:
    """Say what is wrong with the body of an answer."""
    kind = widget_type(definition)
    if one.what == "data" and kind == "html":
        yield from _page(seen)
    elif kind == "youtube":
        yield from _video(one, seen)
    else:
        yield from _json(one, definition, kind, seen)


def _json(one: Question, definition: Definition, kind: str, seen: Seen) -> Saids:
    try:
        found = parse(seen.content, name="The body")
    except DefinitionError as fault:
        yield _unreadable(kind, seen, str(fault))
        return
    if "json" not in seen.kind:
        message = f"The body is JSON, but comes as {seen.kind or 'nothing'}, which some clients refuse."
        yield Said("warning", "json-type", message, 'Answer with the header "Content-Type: application/json".')
    if one.what == "options":
        yield from _options(found)
    elif one.what == "udf":
        yield from _udf(one.endpoint.rpartition("/")[2], found)
    else:
        payload, missing = _payload(found, definition)
        if missing:
            message = f'"dataKey" says that the data is at {show(missing)}, but the answer has nothing there.'
            yield Said("error", "data-key-missing", message, "Correct the data key, or put the data there.")
            return
        yield from _raw(payload) if one.what == "raw" else _typed(kind, payload, definition)


def _unreadable(kind: str, seen: Seen, fault: str) -> Said:
    place, _, reason = fault.partition(": ")
    if any(word in reason for word in NO_NUMBERS):
        return Said("error", "json-nan", f"{place}: {reason} Browsers refuse the whole answer.", "Write null instead.")
    if kind in ("markdown", "note") and "json" not in seen.kind:
        message = "The text comes as it is; Workspace and Excel read a JSON string, with quotes around it."
        return Said("error", "text-not-json", message, "Answer the text as JSON, as frameworks do with a string.")
    return Said("error", "json-invalid", f"{place}: {reason} Browsers can't read it.", "Answer with valid JSON.")


def _payload(found: Any, definition: Definition) -> tuple[Any, str]:
    """Return what stands at the widget's data key, and the key where nothing does."""
    key = as_object(definition.get("data")).get("dataKey")
    for part in str(key).split(".") if is_text(key) else ():
        if not isinstance(found, dict) or part not in found:
            return None, str(key)
        found = found[part]
    return found, ""


def _typed(kind: str, payload: Any, definition: Definition) -> Saids:
    return CHECKS.get(kind, _anything)(payload, definition)


def _anything(payload: Any, definition: Definition) -> Saids:
    yield from ()


def _wrong(code: str, payload: object, wanted: str) -> Said:
    return Said("error", code, f"The body is {show(payload)}, but Workspace reads {wanted} there.", f"Answer {wanted}.")


# ---- rows


def _rows(payload: Any, definition: Definition) -> Saids:
    if isinstance(payload, dict):
        message = "The body is one object instead of a list of rows; some clients show it, some show nothing."
        yield Said("warning", "rows-not-list", message, "Answer a list, with the object in it.")
        payload = [payload]
    if not isinstance(payload, list):
        yield _wrong("rows-not-list", payload, "a list of rows")
        return
    rows = payload[:SAMPLE]
    if any(not isinstance(row, dict) for row in rows):
        odd = next(row for row in rows if not isinstance(row, dict))
        yield Said(
            "error", "rows-not-objects", f"A row is {show(odd)} instead of an object.", "Answer an object for each row."
        )
        return
    yield from _columns(rows, definition)


def _columns(rows: Sequence[Mapping[str, Any]], definition: Definition) -> Saids:
    columns = _declared(definition)
    if rows and (missing := _missing(rows, columns)):
        message = f"The columns {', '.join(missing)} are declared, but not all rows have them: their cells stay empty."
        yield Said(
            "warning", "column-missing", message, "Send every declared column in every row, null where it is empty."
        )
    if not columns and len({frozenset(row) for row in rows}) > 1:
        message = "The rows have different members, and the columns are those of the first row."
        yield Said("warning", "rows-differ", message, "Send the same members in every row, null where one is empty.")
    for column in columns:
        yield from _column(column, [row.get(str(column.get("field"))) for row in rows])


def _declared(definition: Definition) -> list[Mapping[str, Any]]:
    table = as_object(as_object(definition.get("data")).get("table"))
    return [column for column in map(as_object, as_list(table.get("columnsDefs"))) if is_text(column.get("field"))]


def _missing(rows: Sequence[Mapping[str, Any]], columns: list[Mapping[str, Any]]) -> list[str]:
    fields = [str(column["field"]) for column in columns if not as_object(column.get("sparkline")).get("dataField")]
    return [field for field in fields if any(field not in row for row in rows)][:NAMED]


def _column(column: Mapping[str, Any], values: list[Any]) -> Saids:
    name = show(column["field"])
    given = [value for value in values if value is not None]
    if "sparkline" in column and not as_object(column["sparkline"]).get("dataField"):
        if any(
            not isinstance(value, list) or not all(is_number(one) for one in value if one is not None)
            for value in given
        ):
            message = f"The column {name} is drawn as a small chart, but its cells are no lists of numbers."
            yield Said("warning", "sparkline-data", message, "Send a list of numbers in each cell.")
    elif column.get("cellDataType") == "number" and any(isinstance(value, str) for value in given):
        message = f"The column {name} is declared as numbers, but has texts: they sort as texts and are no charts."
        yield Said("warning", "numbers-as-text", message, "Send numbers as numbers, without quotes.")


def _page_of_rows(payload: Any, definition: Definition) -> Saids:
    if not isinstance(payload, dict) or not isinstance(payload.get("rowData"), list):
        yield _wrong("page-form", payload, 'an object with "rowData" and "rowCount"')
        return
    rows, count = payload["rowData"], payload.get("rowCount")
    if not is_number(count) or count < len(rows):
        message = f'"rowCount" is {show(count)}, but the table needs the number of all rows to know where it ends.'
        yield Said("error", "page-count", message, "Answer the number of rows after filters.")
    if len(rows) > PAGE["endRow"]:
        message = f"{PAGE['endRow']} rows were asked for, and {len(rows):,} came: pages overlap."
        yield Said("error", "page-size", message, "Answer the rows from startRow up to, not including, endRow.")
    yield from _rows(rows, definition)


def _live_rows(payload: Any, definition: Definition) -> Saids:
    yield from _rows(payload, definition)
    name = as_object(definition.get("data")).get("wsRowIdColumn")
    if is_text(name) and any(name not in as_object(row) for row in as_list(payload)[:SAMPLE]):
        message = f"Rows lack {show(name)}, by which messages of the WebSocket find them."
        yield Said("error", "live-row-id", message, "Send the column in every row.")


def _raw(payload: Any) -> Saids:
    rows = payload.get("results") if isinstance(payload, dict) else payload
    if not isinstance(rows, list):
        message = f"Asked for raw=true, the body is {show(payload)} instead of a list of rows, which agents read."
        yield Said("warning", "raw-not-rows", message, "Answer the rows behind it, or take raw out.")


# ---- the other types


def _metric(payload: Any, definition: Definition) -> Saids:
    metrics = payload if isinstance(payload, list) else [payload]
    if any(not isinstance(one, dict) or "label" not in one or "value" not in one for one in metrics):
        yield _wrong("metric-form", payload, 'a list of objects with "label" and "value"')


def _text(payload: Any, definition: Definition) -> Saids:
    if not isinstance(payload, str):
        yield _wrong("text-form", payload, "a text")


def _chart(payload: Any, definition: Definition) -> Saids:
    figure = as_object(payload)
    if not isinstance(figure.get("data"), list) or not isinstance(figure.get("layout", {}), dict):
        yield _wrong("chart-form", payload, 'a Plotly figure with "data" and "layout"')
    elif any("bdata" in as_object(value) for trace in as_list(figure["data"]) for value in as_object(trace).values()):
        message = "The figure has typed arrays (bdata), which older versions of Plotly.js show as nothing."
        yield Said("warning", "chart-encoded", message, "Turn arrays into lists before the figure becomes JSON.")


def _highcharts(payload: Any, definition: Definition) -> Saids:
    if not isinstance(payload, dict) or not isinstance(payload.get("series", []), list):
        yield _wrong("chart-form", payload, 'an options object of Highcharts with "series"')


def _vegalite(payload: Any, definition: Definition) -> Saids:
    parts = {"mark", "layer", "hconcat", "vconcat", "concat", "facet", "repeat", "spec"}
    if not isinstance(payload, dict) or not parts & set(payload):
        yield _wrong("chart-form", payload, 'a specification of Vega-Lite with "mark" or "layer"')


def _news(payload: Any, definition: Definition) -> Saids:
    if not isinstance(payload, list) or any(not isinstance(one, dict) for one in payload):
        yield _wrong("news-form", payload, "a list of articles")
        return
    lacking = sorted({key for article in payload for key in NEWS_KEYS if not isinstance(article.get(key), str)})
    if lacking:
        message = f"Articles lack {', '.join(lacking)}, or have no text there."
        yield Said("warning", "news-keys", message, "Send all five as texts, empty where there is nothing.")
    odd = next(
        (one.get("date") for one in payload if isinstance(one.get("date"), str) and not _is_date(one["date"])), None
    )
    if odd is not None:
        message = f"The date {show(odd)} is not in ISO 8601, so articles can't be sorted by it."
        yield Said("warning", "news-date", message, "Write dates like 2026-03-01T08:00:00Z.")


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return not text
    return True


def _file(payload: Any, definition: Definition) -> Saids:
    found = as_object(payload)
    form = as_object(found.get("data_format"))
    if not is_text(form.get("data_type")) or not ("content" in found or "url" in found):
        yield _wrong("file-form", payload, 'an object with "data_format" and "content" or "url"')
    elif form["data_type"] not in FILE_KINDS:
        message = f"The file is of the type {show(form['data_type'])}, which Workspace doesn't show."
        yield Said("warning", "file-type", message, f"Use one of {', '.join(FILE_KINDS)}.")
    elif "url" in found and "://" not in str(found["url"]):
        message = "The address of the file is not a whole one, and the browser that fetches it knows no other."
        yield Said("error", "file-url", message, "Write it with https:// and the host.")


def _files(payload: Any, definition: Definition) -> Saids:
    if not isinstance(payload, list):
        yield _wrong("file-form", payload, "a list of files")
        return
    for one in payload[:NAMED]:
        if "error_type" not in as_object(one):
            yield from _file(one, definition)


def _omni(payload: Any, definition: Definition) -> Saids:
    parse_as = as_object(as_object(payload).get("data_format")).get("parse_as")
    if "content" not in as_object(payload) or parse_as not in ("text", "table", "chart"):
        yield _wrong("omni-form", payload, '"content", and "data_format" with "parse_as": text, table or chart')


def _page(seen: Seen) -> Saids:
    if seen.kind != "text/html":
        message = f"The page comes as {seen.kind or 'nothing'} instead of text/html."
        yield Said("error", "html-type", message, 'Answer with the header "Content-Type: text/html; charset=utf-8".')


def _video(one: Question, seen: Seen) -> Saids:
    if one.what == "raw":
        return
    text = seen.content.decode("utf-8", "replace").strip()
    if seen.kind != "text/plain":
        message = f"The address of the video comes as {seen.kind or 'nothing'} instead of text/plain."
        yield Said("error", "video-type", message, "Answer the address alone, as plain text.")
    elif text and not any(host in text for host in VIDEOS):
        yield Said(
            "error", "video-address", f"{show(text)} is no address of a video on YouTube.", "Answer a whole address."
        )


CHECKS: Mapping[str, Callable[[Any, Definition], Saids]] = {
    "table": _rows,
    SSRM: _page_of_rows,
    "live_grid": _live_rows,
    "metric": _metric,
    "markdown": _text,
    "note": _text,
    "chart": _chart,
    "chart-highcharts": _highcharts,
    "chart-vegalite": _vegalite,
    "newsfeed": _news,
    "pdf": _file,
    "multi_file_viewer": _files,
    "omni": _omni,
}


# ---- options and charts of TradingView


def _options(found: Any) -> Saids:
    if not isinstance(found, list):
        message = f"The options are {show(found)}, but the dropdown reads a bare list, without an envelope."
        yield Said("error", "options-form", message, 'Answer [{"label": "...", "value": "..."}].')
        return
    odd = [
        one
        for one in found
        if not isinstance(one, str) and not ("value" in as_object(one) and "label" in as_object(one))
    ]
    if odd:
        message = f"An option is {show(odd[0])} without a label and a value."
        yield Said("error", "options-form", message, 'Answer [{"label": "...", "value": "..."}].')


def _udf(call: str, found: Any) -> Saids:
    if call == "time":
        if not isinstance(found, int):
            yield _wrong("udf-time", found, "the seconds since 1970, a whole number")
    elif call == "search":
        if not isinstance(found, list):
            yield _wrong("udf-search", found, "a list of symbols")
    elif not isinstance(found, dict):
        yield _wrong(f"udf-{call}", found, "an object")
    elif call == "config" and not isinstance(found.get("supported_resolutions"), list):
        yield Said(
            "error",
            "udf-config",
            '"supported_resolutions" is missing, so no chart opens.',
            'Answer a list such as ["1D"].',
        )
    elif call == "history":
        yield from _history(found)


def _history(found: Mapping[str, Any]) -> Saids:
    if found.get("s") not in ("ok", "no_data", "error"):
        yield Said("error", "udf-history", f'"s" is {show(found.get("s"))}.', 'Answer "ok", "no_data" or "error".')
    elif found["s"] == "ok":
        times = as_list(found.get("t"))
        if any(len(as_list(found.get(name))) != len(times) for name in BARS):
            message = "The lists of times and prices are of different lengths."
            yield Said("error", "udf-history", message, "Answer one price of each kind for each time.")
        elif not all(map(is_number, times)) or any(after <= before for before, after in pairwise(times)):  # type: ignore[operator]
            yield Said("error", "udf-history", "The times do not ascend.", "Sort the bars, the oldest first.")
