"""Heat maps: a grid of cells whose colours are numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from widgets_app.parameters.types import Number
from widgets_app.shapes.chart.layout import PALETTE, Drawing, Json, Theme, axis, plain
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.series import Series, axis_along, choose, cut, series_of
from widgets_app.sources.frame import Frame

CELL_LIMIT = 100_000  # rows of the grid are left out beyond it
# On both sides of zero, for readers with any kind of colour vision.
BELOW, ABOVE = "#A84814", "#3D62D4"


def draw_heatmap(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw a row of cells for each series; cells of several rows are added up."""
    columns = choose(frame, options)
    found = series_of(frame.rows(), columns)
    places = list(dict.fromkeys(place for one in found for place in one.x))
    series, notes = cut(found, max(1, CELL_LIMIT // len(places)))
    cells = [_cells(one, places) for one in series]
    if all(cell is None for row in cells for cell in row):
        return Drawing([], {})
    layout = {
        "xaxis": axis(options.x_title, theme) | axis_along(columns.along, places) | {"showgrid": False},
        "yaxis": axis(options.y_title, theme) | {"type": "category", "autorange": "reversed", "showgrid": False},
    }
    return Drawing([_heatmap(series, places, cells, options, theme)], layout, notes)


def _heatmap(
    series: list[Series], places: list[Any], cells: list[list[Number | None]], options: ChartOptions, theme: Theme
) -> Json:
    return {
        "type": "heatmap",
        "x": places,
        "y": _told_apart(plain(one.name) for one in series),
        "z": cells,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorbar": {"tickformat": options.y_format, "thickness": 12, "outlinewidth": 0},
        "zhoverformat": options.y_format,
        **_scale(cells, options, theme),
        **_written(options),
    }


def _cells(series: Series, places: list[Any]) -> list[Number | None]:
    sums: dict[Any, Number] = {}
    for place, value in zip(series.x, series.y, strict=True):
        if value is not None:
            sums[place] = sums.get(place, 0) + value
    return [sums.get(place) for place in places]


def _told_apart(names: Iterable[str]) -> list[str]:
    """Return names for one axis: equal ones, from columns that read the same, would share a row of cells."""
    taken: dict[str, int] = {}
    found = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        found.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return found


def _scale(cells: list[list[Number | None]], options: ChartOptions, theme: Theme) -> Json:
    """Return the scale of colours: from the background up, or both ways from zero where values have both signs."""
    values = [cell for row in cells for cell in row if cell is not None]
    both = min(values) < 0 < max(values)
    usual = [BELOW, theme.low, ABOVE] if both else [theme.low, PALETTE[0], theme.high]
    colours = (
        options.colours if len(options.colours) > 1 else [theme.low, *options.colours] if options.colours else usual
    )
    steps = [[at / (len(colours) - 1), colour] for at, colour in enumerate(colours)]
    return {"colorscale": steps} | ({"zmid": 0} if both else {})


def _written(options: ChartOptions) -> Json:
    form = f":{options.y_format}" if options.y_format else ""
    return {"texttemplate": f"%{{z{form}}}"} if options.show_values else {}
