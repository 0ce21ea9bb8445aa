"""One column of a table widget."""

from __future__ import annotations

from django.db import models

from widgets_app import vocabulary
from widgets_app.models.fields import JSONTextField
from widgets_app.models.ordering import Ordered
from widgets_app.models.widget import Widget


class Column(Ordered):
    """One entry of data.table.columnsDefs. An empty field means that the key is absent."""

    widget = models.ForeignKey(Widget, models.CASCADE, related_name="columns")
    field = models.CharField(
        max_length=500, null=True, blank=True, help_text="Name of the column in the data, in the same case."
    )
    header_name = models.CharField("title", max_length=500, null=True, blank=True)
    header_tooltip = models.TextField("tooltip", null=True, blank=True)
    cell_data_type = models.CharField(
        "type",
        max_length=20,
        null=True,
        blank=True,
        choices=vocabulary.CELL_DATA_TYPES,
        help_text="Text for years and ids, or they get thousands separators.",
    )
    chart_data_type = models.CharField(
        "role in charts", max_length=20, null=True, blank=True, choices=vocabulary.CHART_DATA_TYPES
    )
    formatter_fn = models.CharField(
        "format",
        max_length=40,
        null=True,
        blank=True,
        choices=vocabulary.FORMATTER_FNS,
        help_text="Percent adds %: 5.2 becomes 5.2%. Fractions such as 0.052 take Times 100, adds %.",
    )
    decimal_places = models.IntegerField("decimals", null=True, blank=True)
    render_fn = JSONTextField(
        "rendering",
        null=True,
        blank=True,
        help_text='"greenRed", or several: ["cellOnClick", "columnColor"].',
    )
    render_fn_params = JSONTextField(
        "rendering settings",
        null=True,
        blank=True,
        help_text='For colour rules: {"colorRules": [{"condition": "gt", "value": 0, "color": "green", "fill": '
        'false}]}. For a click: {"actionType": "groupBy", "groupBy": {"paramName": "ticker"}}.',
    )
    width = models.IntegerField(null=True, blank=True, help_text="Pixels.")
    min_width = models.IntegerField(null=True, blank=True, help_text="Pixels.")
    max_width = models.IntegerField(null=True, blank=True, help_text="Pixels.")
    align = models.CharField(max_length=10, null=True, blank=True, choices=vocabulary.ALIGN)
    hide = models.BooleanField(null=True, blank=True)
    pinned = models.CharField(max_length=10, null=True, blank=True, choices=vocabulary.PINNED)
    prefix = models.CharField(max_length=50, null=True, blank=True, help_text="Shown before each value: $")
    suffix = models.CharField(max_length=50, null=True, blank=True, help_text="Shown after each value: bn")
    enable_cell_change_ws = models.BooleanField(
        "live", null=True, blank=True, help_text="No: live messages do not change this cell."
    )
    sparkline = JSONTextField(
        null=True,
        blank=True,
        help_text='A small chart of a list of numbers: {"type": "line", "options": {"stroke": "#0ea5e9"}}.',
    )
    sort = models.CharField(max_length=10, null=True, blank=True, choices=vocabulary.SORT)
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        indexes = [models.Index(fields=["widget", "position"])]

    def __str__(self) -> str:
        return self.header_name or self.field or f"column {self.pk}"
