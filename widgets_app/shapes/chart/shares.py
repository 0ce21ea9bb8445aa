"""Shares of a whole: pies, donuts and treemaps."""

from __future__ import annotations

from widgets_app.parameters.types import Number, as_text
from widgets_app.shapes.base import NO_VALUE, check_columns
from widgets_app.shapes.chart.layout import PATTERNS, Drawing, Json, Theme, legend, looks, plain
from widgets_app.shapes.chart.layout import SHORT_LEGEND as FEW
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.series import Columns, Series, check_numbers, choose_one, number_or_gap, place, series_of
from widgets_app.sources.frame import Frame

SLICE_LIMIT = 50  # slices of a pie; the smaller ones are added up beyond it
BOX_LIMIT = 500  # boxes of a treemap, without those around others; the smaller ones are left out beyond it
HOLE = 0.55  # of a donut, as a share of its width

Path = tuple[str, ...]


def draw_pie(frame: Frame, options: ChartOptions, _: Theme) -> Drawing:
    """Draw the shares of each name, the largest first."""
    (series,) = series_of(frame.rows(), choose_one(frame, options))
    slices = _slices(series)
    if not slices:
        return Drawing([], {})
    hole = {"hole": HOLE} if options.kind == "donut" else {}
    return Drawing([_pie(slices, options) | hole], legend(len(slices), options))


def draw_treemap(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw boxes as large as their values, inside the boxes of their groups."""
    columns = choose_treemap(frame, options)
    rows = frame.rows()
    check_numbers(rows, columns.values[0])
    leaves = _leaves(rows, [*options.groups, columns.along.name], columns.values[0])
    if not leaves:
        return Drawing([], {})
    shown = dict(sorted(leaves.items(), key=lambda item: -item[1])[:BOX_LIMIT])
    notes = [f"Showing {BOX_LIMIT:,} of {len(leaves):,} boxes"] if len(leaves) > BOX_LIMIT else []
    layout: Json = {"margin": {"l": 4, "r": 4, "t": 24, "b": 4}}
    return Drawing([_treemap(shown, options, theme)], layout, notes)


def choose_treemap(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns the boxes of a treemap are made from."""
    check_columns(frame, options.groups)
    return choose_one(frame, options)


def _pie(slices: list[tuple[str, Number]], options: ChartOptions) -> Json:
    marks = looks(options, len(slices))
    trace: Json = {
        "type": "pie",
        "labels": [plain(label) for label, _ in slices],
        "values": [value for _, value in slices],
        "sort": False,
        "textinfo": "percent",
        "textposition": "auto" if len(slices) <= FEW else "inside",
        "marker": {
            "colors": [look.colour for look in marks],
            "pattern": {"shape": [look.mark(PATTERNS) for look in marks]},
        },
    }
    if options.y_format:
        trace["hovertemplate"] = f"%{{label}}<br>%{{value:{options.y_format}}} (%{{percent}})<extra></extra>"
    return trace


def _slices(series: Series) -> list[tuple[str, Number]]:
    """Return label and size of each slice, the largest first; those beyond the limit as one."""
    sums: dict[str, Number] = {}
    for at, value in zip(series.x, series.y, strict=True):
        if value is not None and value > 0:
            sums[as_text(at)] = sums.get(as_text(at), 0) + value
    slices = sorted(sums.items(), key=lambda item: -item[1])
    if len(slices) <= SLICE_LIMIT:
        return slices
    rest = slices[SLICE_LIMIT - 1 :]
    return [*slices[: SLICE_LIMIT - 1], (f"{len(rest):,} others", sum(value for _, value in rest))]


def _leaves(rows: list[Json], names: list[str], column: str) -> dict[Path, Number]:
    """Add up what is above zero for each path of groups and name."""
    leaves: dict[Path, Number] = {}
    for row in rows:
        value = number_or_gap(row[column])
        if value is not None and value > 0:
            path = tuple(as_text(place(row[name])) or NO_VALUE for name in names)
            leaves[path] = leaves.get(path, 0) + value
    return leaves


def _treemap(leaves: dict[Path, Number], options: ChartOptions, theme: Theme) -> Json:
    """Return the boxes: every beginning of a path is one, in the colour of its outermost group."""
    paths = list(dict.fromkeys(path[:depth] for path in leaves for depth in range(1, len(path) + 1)))
    ids = {path: str(number) for number, path in enumerate(paths)}
    tops = list(dict.fromkeys(path[0] for path in paths))
    colours = {top: look.colour for top, look in zip(tops, looks(options, len(tops)), strict=True)}
    form = f":{options.y_format}" if options.y_format else ""
    return {
        "type": "treemap",
        "ids": list(ids.values()),
        "labels": [plain(path[-1]) for path in paths],
        "parents": [ids.get(path[:-1], "") for path in paths],
        "values": [leaves.get(path, 0) for path in paths],
        "branchvalues": "remainder",  # the client adds up, and so never finds a box too small for what is in it
        "marker": {"colors": [colours[path[0]] for path in paths], "line": {"width": 1, "color": theme.hover}},
        "texttemplate": f"%{{label}}<br>%{{value{form}}}",
        "hovertemplate": f"%{{label}}<br>%{{value{form}}} (%{{percentRoot:.1%}})<extra></extra>",
    }
