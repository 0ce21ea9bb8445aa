"""What is around the data: themes, colours, axes, legend and notes."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from widgets_app.shapes.chart.options import ChartOptions

SHORT_LEGEND = 8  # names that find room above the chart
EMPTY_TEXT = "No data for these settings"

# Seven colours that stand out from a dark and from a white background, and from each other for readers with
# any kind of colour vision. When they are used up, the marks tell the next round from the one before.
PALETTE = ("#3D62D4", "#C38800", "#25A487", "#E65EC2", "#A84814", "#7E33FF", "#736144")
DASHES = ("solid", "dash", "dot", "dashdot")
PATTERNS = ("", "/", "x", ".")
SYMBOLS = ("circle", "square", "diamond", "cross")

# Up, down and the sum so far, for readers with any kind of colour vision too.
RISING, FALLING, TOTAL = "#25A487", "#DF3F5F", "#3D62D4"

TRANSPARENT = "rgba(0,0,0,0)"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours around the data; the background is the widget's own, seen through.

    `low` and `high` are the ends of a scale of colours: near to the background, and far from it.
    """

    text: str
    grid: str
    hover: str
    low: str
    high: str


THEMES = {
    "dark": Theme(text="#E4E4E7", grid="rgba(255,255,255,0.14)", hover="#27272A", low="#2B2B31", high="#A9BCFF"),
    "light": Theme(text="#27272A", grid="rgba(0,0,0,0.12)", hover="#FFFFFF", low="#EDEDF0", high="#182A6B"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one series from another: a colour, and how often the colours were used up before it."""

    colour: str
    round: int

    def mark(self, marks: tuple[str, ...]) -> str:
        """Return the dash, pattern or symbol of this round."""
        return marks[self.round % len(marks)]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The traces, the parts of the layout that depend on them, and what a limit left out, in words."""

    traces: list[Json]
    layout: Json
    notes: list[str] = field(default_factory=list)


def looks(options: ChartOptions, count: int) -> list[Look]:
    """Return the looks of so many series."""
    colours = options.colours or PALETTE
    return [Look(colours[index % len(colours)], index // len(colours)) for index in range(count)]


def own_colours(options: ChartOptions, *usual: str) -> tuple[str, ...]:
    """Return colours with a meaning of their own, such as up and down: those chosen, then the usual ones."""
    return (*options.colours[: len(usual)], *usual[len(options.colours) :])


def plain(text: str) -> str:
    """Return a text as Plotly shows it letter for letter."""
    return html.escape(text, quote=False)


def axis(title: str, theme: Theme, number_format: str = "") -> Json:
    """Return an axis with a title, and a format of its numbers if it has any."""
    formats = {"tickformat": number_format, "hoverformat": number_format} if number_format else {}
    return {
        "title": {"text": plain(title)},
        "gridcolor": theme.grid,
        "linecolor": theme.grid,
        "zerolinecolor": theme.grid,
        "automargin": True,
        **formats,
    }


def legend(names: int, options: ChartOptions, *, room_above: bool = True) -> Json:
    """Return a legend for so many names; fewer than two need none."""
    above = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
    short = names <= SHORT_LEGEND or not options.legend
    place = above if short and room_above else {"orientation": "v"}
    return {"showlegend": options.legend and names > 1, "legend": place}


def base_layout(theme: Theme) -> Json:
    """Return what every figure has."""
    return {
        "paper_bgcolor": TRANSPARENT,
        "plot_bgcolor": TRANSPARENT,
        "font": {"color": theme.text},
        "hoverlabel": {"bgcolor": theme.hover, "font": {"color": theme.text}},
        "margin": {"l": 48, "r": 16, "t": 32, "b": 40},
        "autosize": True,
    }


def empty_drawing() -> Drawing:
    """Return the drawing that says that there is nothing to draw."""
    note = _annotation(EMPTY_TEXT, x=0.5, y=0.5, anchors=("center", "middle"))
    return Drawing([], {"xaxis": {"visible": False}, "yaxis": {"visible": False}, "annotations": [note]})


def with_extra(layout: Json, extra: Mapping[str, Any]) -> Json:
    """Return a layout with another one in it: objects are joined, everything else of `extra` wins."""
    joined = {
        key: with_extra(layout[key], value)
        for key, value in extra.items()
        if isinstance(value, dict) and isinstance(layout.get(key), dict)
    }
    return {**layout, **extra, **joined}


def with_notes(layout: Json, notes: list[str]) -> Json:
    """Return a layout that says above the chart what limits left out, beside annotations that are there."""
    if not notes:
        return layout
    there = layout.get("annotations")
    note = _annotation(" · ".join(notes), x=1, y=1, anchors=("right", "bottom"))
    return layout | {"annotations": [*(there if isinstance(there, list) else ()), note]}


def _annotation(text: str, *, x: float, y: float, anchors: tuple[str, str]) -> Json:
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": anchors[0], "yanchor": anchors[1]}
    return place | {"text": text, "showarrow": False}
