"""Prices over time: candles or bars of open, high, low and close, with lines over them and volume below."""

from __future__ import annotations

from widgets_app.shapes.base import check_columns, readable
from widgets_app.shapes.chart.layout import (
    FALLING,
    RISING,
    Drawing,
    Json,
    Theme,
    axis,
    legend,
    looks,
    own_colours,
    plain,
)
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.plot import line
from widgets_app.shapes.chart.series import (
    Columns,
    axis_along,
    check_numbers,
    column_along,
    cut,
    number_or_gap,
    place,
    series_of,
)
from widgets_app.sources.frame import Frame, FrameColumn

PRICES_NAME = "Prices"
PRICES_ABOVE, VOLUME_BELOW = [0.24, 1], [0, 0.18]  # shares of the height


def draw_prices(frame: Frame, options: ChartOptions, theme: Theme) -> Drawing:
    """Draw four prices at each time; columns to draw become lines over them."""
    parts, along, rows = _parts(options), choose_prices(frame, options).along, frame.rows()
    for name in filter(None, (*parts.values(), options.volume)):
        check_numbers(rows, name)
    prices = _prices(rows, along, parts, options)
    lines, notes = _lines(rows, along, options)
    volume = [_volume(rows, along, options, theme)] if options.volume else []
    layout = _axes(along, prices["x"], options, theme) | legend(len(lines) + 1 if lines else 0, options)
    return Drawing([prices, *lines, *volume], layout, notes)


def choose_prices(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns are drawn: the four prices, the lines over them, and the volume as their size."""
    parts = tuple(_parts(options).values())
    check_columns(frame, [options.x, options.volume, *parts, *options.y])
    along = column_along(frame, options, *parts, options.volume)
    return Columns(along, (*parts, *options.y), size=options.volume)


def _parts(options: ChartOptions) -> dict[str, str]:
    return {
        "open": options.open or "open",
        "high": options.high or "high",
        "low": options.low or "low",
        "close": options.close or "close",
    }


def _prices(rows: list[Json], along: FrameColumn, parts: dict[str, str], options: ChartOptions) -> Json:
    up, down = own_colours(options, RISING, FALLING)
    cells = {part: [number_or_gap(row[name]) for row in rows] for part, name in parts.items()}
    return {
        "type": options.kind,
        "name": PRICES_NAME,
        "x": [place(row[along.name]) for row in rows],
        **cells,
        "increasing": {"line": {"color": up}},
        "decreasing": {"line": {"color": down}},
    }


def _lines(rows: list[Json], along: FrameColumn, options: ChartOptions) -> tuple[list[Json], list[str]]:
    """Return the lines over the prices; the first two colours are those of the prices."""
    if not options.y:
        return [], []
    series, notes = cut(series_of(rows, Columns(along, tuple(dict.fromkeys(options.y)))))
    rest = options.model_copy(update={"colours": options.colours[2:]})
    pairs = zip(series, looks(rest, len(series)), strict=True)
    return [{"name": plain(one.name), "x": one.x, "y": one.y, **line(one, look, rest)} for one, look in pairs], notes


def _volume(rows: list[Json], along: FrameColumn, options: ChartOptions, theme: Theme) -> Json:
    return {
        "type": "bar",
        "name": plain(readable(options.volume)),
        "x": [place(row[along.name]) for row in rows],
        "y": [number_or_gap(row[options.volume]) for row in rows],
        "yaxis": "y2",
        "marker": {"color": theme.text, "opacity": 0.4},
        "showlegend": False,
    }


def _axes(along: FrameColumn, places: list[object], options: ChartOptions, theme: Theme) -> Json:
    scale = {"type": "log"} if options.y_log else {}
    layout: Json = {
        "xaxis": axis(options.x_title, theme) | axis_along(along, places) | {"rangeslider": {"visible": False}},
        "yaxis": axis(options.y_title, theme, options.y_format) | scale,
        "hovermode": "x unified",
    }
    if options.volume:
        layout["xaxis"] |= {"anchor": "y2"}
        layout["yaxis"] |= {"domain": PRICES_ABOVE}
        layout["yaxis2"] = axis("", theme) | {"domain": VOLUME_BELOW, "nticks": 3}
    return layout
