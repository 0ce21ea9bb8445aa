"""One entry of widgets.json."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from widgets_app import vocabulary
from widgets_app.models.fields import JSONTextField
from widgets_app.models.manifest_entry import ManifestEntry
from widgets_app.models.query import Query
from widgets_app.models.source import Source


class Widget(ManifestEntry):
    """A widget's definition. An empty field means that the key is absent; keys without a field are in `extra`.

    `grid_extra`, `data_extra` and `table_extra` hold the other keys of gridData, data and data.table; an empty
    object there means that the object itself is present and empty.
    """

    widget_id = models.CharField(
        "id",
        max_length=255,
        unique=True,
        help_text="Stable name used by apps and Excel formulas: letters, digits, _ and -.",
    )
    name = models.CharField(
        max_length=500, null=True, blank=True, help_text="Title shown on the widget. Keep it unique."
    )
    description = models.TextField(
        null=True,
        blank=True,
        help_text="What the data is: entity, measure, period, origin. The AI agent chooses widgets by this text.",
    )
    type = models.CharField(
        max_length=40,
        null=True,
        blank=True,
        choices=vocabulary.WIDGET_TYPES,
        help_text="How Workspace shows the data. Empty counts as table.",
    )
    endpoint = models.CharField(
        max_length=1000,
        null=True,
        blank=True,
        help_text="Path of the data, for example prices/daily. Relative to this server's address.",
    )
    ws_endpoint = models.CharField(
        "WebSocket path", max_length=1000, null=True, blank=True, help_text="For live tables only."
    )
    category = models.CharField(max_length=255, null=True, blank=True, help_text="Heading in the search for widgets.")
    sub_category = models.CharField(max_length=255, null=True, blank=True, help_text="Heading below the category.")
    search_category = models.CharField(
        max_length=255, null=True, blank=True, help_text="Other heading to be found under."
    )
    source = JSONTextField(
        null=True, blank=True, help_text="Where the data comes from, shown to users: FRED, Our ledger."
    )
    img_url = models.TextField(
        "picture", null=True, blank=True, help_text="Address of a preview picture, or an uploaded one."
    )

    grid_w = models.IntegerField(
        "width",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Columns of the 40-column grid, usually 10 to 40; a metric may take 4.",
    )
    grid_h = models.IntegerField(
        "height",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Rows of the grid, 100 at most: 8 to 15 for tables and charts, 4 to 6 for metrics.",
    )
    grid_min_w = models.IntegerField("least width", null=True, blank=True, help_text="When resized.")
    grid_min_h = models.IntegerField("least height", null=True, blank=True, help_text="When resized.")
    grid_max_w = models.IntegerField("most width", null=True, blank=True, help_text="When resized, 40 at most.")
    grid_max_h = models.IntegerField("most height", null=True, blank=True, help_text="When resized, 100 at most.")

    data_key = models.CharField(
        max_length=255,
        null=True,
        blank=True,
        help_text="Where the rows sit inside the answer, for example results. Usually empty.",
    )
    ws_row_id_column = models.CharField(
        "row id column", max_length=255, null=True, blank=True, help_text="Column that tells live rows apart."
    )
    default_symbol = models.CharField(
        max_length=255, null=True, blank=True, help_text="First symbol of a TradingView chart."
    )
    update_frequency = models.IntegerField(
        null=True, blank=True, help_text="Milliseconds between updates of a TradingView chart."
    )
    chart_config = JSONTextField(null=True, blank=True, help_text="Colours of a TradingView chart, as JSON.")

    enable_charts = models.BooleanField(null=True, blank=True, help_text="Let users chart the table's cells.")
    show_all = models.BooleanField(
        null=True, blank=True, help_text="Show the columns of the data that have no definition too."
    )
    transpose = models.BooleanField(null=True, blank=True, help_text="Swap rows and columns.")
    enable_advanced = models.BooleanField(
        null=True, blank=True, help_text="Show the side panel to choose, group and pivot columns."
    )
    enable_formulas = models.BooleanField(null=True, blank=True, help_text="Show the side panel for formulas.")
    table_formatter_fn = models.CharField(
        "format of all columns",
        max_length=40,
        null=True,
        blank=True,
        choices=vocabulary.FORMATTER_FNS,
        help_text="A column's own format wins.",
    )
    chart_view = JSONTextField(
        null=True,
        blank=True,
        help_text='Chart made from the table: {"enabled": true, "chartType": "line", "cellRangeCols": {"line": '
        '["date", "price"]}}.',
    )

    raw = models.BooleanField(
        null=True, blank=True, help_text="Offer a switch from the chart to its rows (charts, HTML, YouTube)."
    )
    run_button = models.BooleanField(
        null=True,
        blank=True,
        help_text="Wait for a click on Run; changed parameters do not refresh by themselves.",
    )
    exportable = models.BooleanField(null=True, blank=True, help_text="No: users may not export the data.")
    refetch_interval = JSONTextField(
        null=True,
        blank=True,
        help_text="Milliseconds between refreshes (at least 1000), false for never, or a schedule such as "
        '"0 10 * * 1-5". Empty: 15 minutes.',
    )
    data_update_display = models.CharField(
        max_length=100,
        null=True,
        blank=True,
        help_text="Schedule of the data itself, only shown in a tooltip: 30 18 * * 1-5.",
    )
    stale_time = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Milliseconds for which data counts as fresh; the answer is reused that long. Empty: 5 minutes.",
    )
    storage_mcp_url = models.CharField(
        "MCP server URL", max_length=1000, null=True, blank=True, help_text="Connected by an iframe widget."
    )
    mcp_server = models.CharField(
        max_length=255,
        null=True,
        blank=True,
        help_text="Name of the MCP server whose tool gives the same data.",
    )
    mcp_tool_id = models.CharField(
        "MCP tool", max_length=255, null=True, blank=True, help_text="Name of that tool, exactly."
    )
    ai = models.BooleanField("AI", null=True, blank=True, help_text="No: hidden from AI agents.")
    param_rows = models.PositiveSmallIntegerField(
        "rows of parameters",
        null=True,
        blank=True,
        help_text="Empty: Workspace places the parameters. A number: each parameter says in which row it stands.",
    )

    extra = JSONTextField("other keys", null=True, blank=True, help_text="Keys of the definition without a field.")
    grid_extra = JSONTextField("other keys of gridData", null=True, blank=True)
    data_extra = JSONTextField("other keys of data", null=True, blank=True)
    table_extra = JSONTextField("other keys of data.table", null=True, blank=True)

    shape = JSONTextField(null=True, blank=True, help_text="How the rows become the widget's body.")
    upstream = models.ForeignKey(
        Source,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="widgets",
        help_text="HTTP backend that answers all requests of this widget: data, options and forms. Instead of a query.",
    )

    class Meta(ManifestEntry.Meta):
        constraints = [
            models.CheckConstraint(condition=~Q(widget_id=""), name="widget_id_not_empty"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(endpoint="") & ~Q(type=""), name="widget_absent_is_null"),
        ]

    def __str__(self) -> str:
        return self.widget_id


class Feed(models.Model):
    """Which query fills which role of a widget; `rows` is the data itself."""

    class Role(models.TextChoices):
        """What the query's result is used for."""

        ROWS = "rows", "Rows"

    widget = models.ForeignKey(Widget, models.CASCADE, related_name="feeds")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.ROWS)
    query = models.ForeignKey(Query, models.PROTECT, related_name="feeds")

    class Meta:
        ordering = ["role"]
        constraints = [models.UniqueConstraint(fields=["widget", "role"], name="feed_once_per_role")]

    def __str__(self) -> str:
        return f"{self.role}: {self.query}"
