"""The inputs of forms, where unfold's do not fit."""

from __future__ import annotations

from typing import Any

from widgets_app.admin.theme import FileInput, NullBooleanInput, TextareaInput, TextInput

MONOSPACE = "wb-monospace"
NOT_SET = "Not set"


class Textarea(TextareaInput):
    """Several lines. Django's own template, since unfold's loses a line break at the very beginning."""

    template_name = "django/forms/widgets/textarea.html"

    def __init__(self, *, rows: int = 3, monospace: bool = False) -> None:
        super().__init__({"rows": rows, "class": MONOSPACE if monospace else ""})


class SuggestingInput(TextInput):
    """One line with suggestions, which stand once on the page in a datalist of this id."""

    def __init__(self, datalist: str) -> None:
        super().__init__({"list": datalist, "autocomplete": "off"})


class YesNoInput(NullBooleanInput):
    """Yes, no, or the key is left out."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = [("unknown", NOT_SET), ("true", "Yes"), ("false", "No")]


class PictureInput(FileInput):
    """A picture to upload."""

    def __init__(self) -> None:
        super().__init__({"accept": "image/png,image/jpeg,image/gif,image/webp,image/svg+xml"})
