"""What can be chosen about a chart; each option names the kinds of charts that it matters for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from widgets_app.shapes.base import ShapeOptions, size_as_json

MAX_LAYOUT_BYTES = 20_000  # of the extra layout, written as JSON
MAX_BINS = 500

PLOTS = ("line", "area", "bar", "scatter")
SHARES = ("pie", "donut")
PRICES = ("candlestick", "ohlc")
WITH_SERIES = (*PLOTS, "bubble", "histogram", "box", "heatmap")
WITH_AXES = (*WITH_SERIES, *PRICES, "waterfall")


def _for(*kinds: str) -> dict[str, Any]:
    """Return the mark of an option that only matters for some kinds of charts."""
    return {"shown_for": {"kind": list(kinds)}}


class ChartOptions(ShapeOptions):
    """What the chart draws, from which columns, and how it looks."""

    kind: Literal[
        "line",
        "area",
        "bar",
        "scatter",
        "bubble",
        "pie",
        "donut",
        "histogram",
        "box",
        "heatmap",
        "candlestick",
        "ohlc",
        "waterfall",
        "treemap",
    ] = Field(
        default="line",
        title="Kind of chart",
        description="Line or area over time, bar to compare, scatter for two measures, pie for shares, and more below.",
    )
    x: str = Field(
        default="",
        title="Column along the chart",
        description="Dates, names or numbers, such as day; for a pie the slices. Empty: the first column.",
        json_schema_extra=_for(*PLOTS, "bubble", *SHARES, "box", "heatmap", *PRICES, "waterfall", "treemap"),
    )
    y: list[str] = Field(
        default_factory=list,
        title="Columns to draw",
        description="One series for each, such as calls, delays; a pie takes the first. Empty: all numbers.",
    )
    colour: str = Field(
        default="",
        title="Column that splits into series",
        description="A series of its own for each of its values, such as port: one line for each port.",
        json_schema_extra=_for(*WITH_SERIES),
    )
    size: str = Field(
        default="",
        title="Column with the size",
        description="The area of each bubble, such as market_cap. Empty: the next column of numbers.",
        json_schema_extra=_for("bubble"),
    )
    label: str = Field(
        default="",
        title="Column that names the points",
        description="Shown when the pointer is on a point, such as country.",
        json_schema_extra=_for("scatter", "bubble"),
    )
    groups: list[str] = Field(
        default_factory=list,
        title="Columns that group",
        description="Boxes around boxes, the outermost first, such as region, country.",
        json_schema_extra=_for("treemap"),
    )
    totals: list[str] = Field(
        default_factory=list,
        title="Totals",
        description="Places whose bar is the sum so far, whatever their value, such as Gross profit, Net profit.",
        json_schema_extra=_for("waterfall"),
    )
    bins: int = Field(
        default=0,
        ge=0,
        le=MAX_BINS,
        title="Bars at most",
        description="How finely values are counted, such as 40. 0: as many as suit the values.",
        json_schema_extra=_for("histogram"),
    )
    open: str = Field(
        default="",
        title="Opening price",
        description="The column with the first price of each time, such as first_price. Empty: open.",
        json_schema_extra=_for(*PRICES),
    )
    high: str = Field(
        default="",
        title="Highest price",
        description="The column with the highest price of each time, such as day_high. Empty: high.",
        json_schema_extra=_for(*PRICES),
    )
    low: str = Field(
        default="",
        title="Lowest price",
        description="The column with the lowest price of each time, such as day_low. Empty: low.",
        json_schema_extra=_for(*PRICES),
    )
    close: str = Field(
        default="",
        title="Closing price",
        description="The column with the last price of each time, such as last_price. Empty: close.",
        json_schema_extra=_for(*PRICES),
    )
    volume: str = Field(
        default="",
        title="Volume",
        description="The column with what was traded, drawn as bars below the prices, such as volume. Empty: none.",
        json_schema_extra=_for(*PRICES),
    )
    stacking: Literal["none", "stacked", "normalised"] = Field(
        default="none",
        title="Stacking",
        description="Of bars and areas: none, on top of each other, or normalised to shares of 100 %.",
        json_schema_extra=_for("area", "bar", "histogram"),
    )
    horizontal: bool = Field(
        default=False,
        title="Horizontal bars",
        description="Bars run to the right, the first row on top: room for long names such as Port of Riga.",
        json_schema_extra=_for("bar", "box", "waterfall"),
    )
    line_shape: Literal["straight", "smooth", "steps"] = Field(
        default="straight",
        title="Shape of the lines",
        description="Straight from point to point, smooth, or steps, such as for interest rates.",
        json_schema_extra=_for("line", "area"),
    )
    markers: bool = Field(
        default=False,
        title="Mark the points",
        description="A mark on every point of a line: good for few points, such as one a quarter.",
        json_schema_extra=_for("line", "area"),
    )
    show_values: bool = Field(
        default=False,
        title="Write the values",
        description="Numbers in the bars or cells: good for few of them, such as a matrix of correlations.",
        json_schema_extra=_for("bar", "heatmap", "waterfall"),
    )
    second_y: list[str] = Field(
        default_factory=list,
        title="Columns on a second axis",
        description="Drawn against an axis of their own on the other side, such as volume next to price.",
        json_schema_extra=_for(*PLOTS),
    )
    second_kind: Literal["line", "bar", "scatter"] = Field(
        default="line",
        title="Kind on the second axis",
        description="How the columns on the second axis are drawn, such as a line over bars.",
        json_schema_extra=_for(*PLOTS),
    )
    second_title: str = Field(
        default="",
        title="Title of the second axis",
        description="Such as Shares traded. Empty: the name of the column where only one is there.",
        json_schema_extra=_for(*PLOTS),
    )
    second_format: str = Field(
        default="",
        title="Format of the second axis",
        description="A d3 format as for the values, such as .1% or ,.0f.",
        json_schema_extra=_for(*PLOTS),
    )
    x_title: str = Field(
        default="",
        title="Title along the chart",
        description="Such as Day of arrival. Empty: none, for a scatter the name of the column.",
        json_schema_extra=_for(*WITH_AXES),
    )
    y_title: str = Field(
        default="",
        title="Title of the values",
        description="Such as Calls per day. Empty: the name of the column where only one is drawn.",
        json_schema_extra=_for(*WITH_AXES),
    )
    y_format: str = Field(
        default="",
        title="Format of the values",
        description="A d3 format: ,.0f shows 12,345; .1% shows 4.2% for 0.042; $.2s shows $1.2M.",
    )
    y_log: bool = Field(
        default=False,
        title="Logarithmic values",
        description="Equal ratios look equal, such as 1 to 10 and 10 to 100. Only values above zero are drawn.",
        json_schema_extra=_for(*PLOTS, "bubble", "box", *PRICES),
    )
    colours: list[str] = Field(
        default_factory=list,
        title="Colours",
        description="CSS colours in the order of the series, such as #3D62D4, orange. Empty: a readable set.",
    )
    legend: bool = Field(
        default=True,
        title="Legend",
        description="Show the names of the series where there are several.",
        json_schema_extra=_for(*PLOTS, "bubble", *SHARES, "histogram", "box", *PRICES),
    )
    layout: dict[str, Any] = Field(
        default_factory=dict,
        title="Extra layout",
        description='Plotly\'s own layout as JSON, which wins, such as {"yaxis": {"rangemode": "tozero"}}.',
    )

    @field_validator("layout")
    @classmethod
    def _small(cls, layout: dict[str, Any]) -> dict[str, Any]:
        size = size_as_json({"layout": layout}, "layout")  # as deep as it stands in a figure
        if size > MAX_LAYOUT_BYTES:
            raise ValueError(f"The layout has {size:,} bytes, at most {MAX_LAYOUT_BYTES:,} are kept. Shorten it.")
        return layout
