"""What a user can set on a widget, and the fixed values to choose from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from widgets_app import vocabulary
from widgets_app.models.fields import JSONTextField
from widgets_app.models.ordering import Ordered
from widgets_app.models.query import Query
from widgets_app.models.widget import Widget


class Parameter(Ordered):
    """One entry of params, or, with a parent, one field of a form. An empty field means that the key is absent."""

    widget = models.ForeignKey(Widget, models.CASCADE, related_name="parameters")
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="fields",
        help_text="The form that this is a field of.",
    )
    row = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Row it stands in, from 0, if the widget places its parameters in rows.",
    )
    param_name = models.CharField(
        "name",
        max_length=255,
        null=True,
        blank=True,
        help_text="Name sent with the request; queries use it as :name.",
    )
    type = models.CharField(
        max_length=20,
        null=True,
        blank=True,
        choices=(*vocabulary.PARAMETER_TYPES, ("button", "Button of a form")),
        help_text="Empty counts as text.",
    )
    label = models.CharField(max_length=500, null=True, blank=True, help_text="Shown to users.")
    description = models.TextField(
        null=True,
        blank=True,
        help_text="Shown on hover, and read by the AI agent: what it means, an example.",
    )
    value = JSONTextField(
        "default",
        null=True,
        blank=True,
        help_text="Used when nothing is sent. Dates may be relative: $currentDate-1w (h, d, w, M, y).",
    )
    show = models.BooleanField(null=True, blank=True, help_text="No: hidden from users, but still sent.")
    optional = models.BooleanField(
        null=True, blank=True, help_text="No: a request without a value is refused, when there is no default."
    )
    options_query = models.ForeignKey(
        Query,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="option_parameters",
        help_text="Query whose rows are the options. Widgets linked in an app must use the same one.",
    )
    options_endpoint = models.CharField(
        max_length=1000, null=True, blank=True, help_text="Path of the options, when no query is chosen."
    )
    options_params = JSONTextField(
        "options depend on",
        null=True,
        blank=True,
        help_text='Values sent to the options query: {"country": "$country"} follows the parameter country.',
    )
    multi_select = models.BooleanField(null=True, blank=True, help_text="Several of the options.")
    multiple = models.BooleanField(null=True, blank=True, help_text="Several values typed by the user.")
    minimum = JSONTextField("least", null=True, blank=True, help_text="For numbers.")
    maximum = JSONTextField("most", null=True, blank=True, help_text="For numbers.")
    step = JSONTextField(null=True, blank=True, help_text="For numbers.")
    popup_width = models.IntegerField(
        null=True, blank=True, help_text="Width of the opened dropdown, 200 to 1000 pixels."
    )
    roles = JSONTextField(null=True, blank=True, help_text='["fileSelector"] marks the files of a file viewer.')
    language = models.CharField(
        max_length=20, null=True, blank=True, help_text="Highlighting of an omni prompt: sql or python."
    )
    endpoint = models.CharField(
        "form path", max_length=1000, null=True, blank=True, help_text="Path that a form is sent to."
    )
    ai = models.BooleanField("AI", null=True, blank=True, help_text="No: hidden from AI agents.")
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        indexes = [models.Index(fields=["widget", "position"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(options_query__isnull=True) | Q(options_endpoint__isnull=True),
                name="parameter_one_options_path",
            ),
        ]

    def __str__(self) -> str:
        return self.param_name or f"parameter {self.pk}"


class Choice(Ordered):
    """One fixed option of a parameter, or of a query without a source."""

    parameter = models.ForeignKey(Parameter, models.CASCADE, null=True, blank=True, related_name="choices")
    query = models.ForeignKey(Query, models.CASCADE, null=True, blank=True, related_name="choices")
    label = models.CharField(max_length=500, null=True, blank=True, help_text="Shown to users.")
    value = JSONTextField(null=True, blank=True, help_text="Sent with the request: text, a number, true or false.")
    description = models.TextField(null=True, blank=True, help_text="Shown under the label.")
    right_of_description = models.CharField(max_length=500, null=True, blank=True, help_text="Shown at the right.")
    extra = JSONTextField("other keys", null=True, blank=True)

    class Meta(Ordered.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(parameter__isnull=True, query__isnull=False)
                | Q(parameter__isnull=False, query__isnull=True),
                name="choice_of_a_parameter_or_a_query",
            ),
        ]

    def __str__(self) -> str:
        return self.label or str(self.value)
