"""What a form does when it is sent, as rows on the page of the form."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.ordering import OrderedInline
from widgets_app.compiled import local_path
from widgets_app.errors import DefinitionError
from widgets_app.models import FormAction, Parameter
from widgets_app.services import findings
from widgets_app.sources.collection import CollectionBackend
from widgets_app.sources.python import PythonBackend

KINDS = (CollectionBackend.kind, PythonBackend.kind)


class FormActionForm(KeepingForm):
    """The row of one button."""

    def clean(self) -> dict[str, Any]:
        """Complain at the field about what would not work."""
        super().clean()
        data = self.cleaned_data
        source, function = data.get("source"), data.get("function")
        calls = data.get("does") == FormAction.Does.FUNCTION
        if source and source.kind != (PythonBackend.kind if calls else CollectionBackend.kind):
            wanted = PythonBackend.label if calls else CollectionBackend.label
            self.add_error("source", f"Choose a source of the kind {wanted}.")
        elif calls and source:
            self._check_function(function or "", source)
        if function and not calls:
            self.add_error("function", "Only “Call a Python function” takes one. Choose that, or leave this empty.")
        return data

    def _check_function(self, name: str, source: Any) -> None:
        try:
            findings.prepare(source, name)
        except DefinitionError as error:
            self.add_error("function", str(error))


class FormActionInline(OrderedInline):
    """What the buttons of a form do."""

    model = FormAction
    form = FormActionForm
    fields = ("button", "does", "source", "function", "once_seconds", "position")
    verbose_name = "action of the form"
    verbose_name_plural = "when it is sent"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what forms can be sent to."""
        if db_field.name == "source":
            kwargs["queryset"] = db_field.related_model.objects.filter(kind__in=KINDS)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def path_fill(parameter: Parameter) -> None:
    """Give a form that does something here a path of its own, if it has none."""
    if parameter.endpoint is None and parameter.param_name and parameter.actions.exists():
        base = local_path(parameter.widget.endpoint) or parameter.widget.widget_id
        parameter.endpoint = f"{base}/{parameter.param_name}"
        parameter.save(update_fields=["endpoint"])
