"""Uploading pictures: a file beside the text field that holds the picture's address."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.utils.html import format_html
from django.utils.safestring import SafeString

from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.inputs import PictureInput, Textarea
from widgets_app.errors import DefinitionError
from widgets_app.services.pictures import PICTURE_BYTES, picture_address

INLINED = "data:image/"


class AddressInput(Textarea):
    """The address of a picture; one that is kept inside is shown below."""

    def __init__(self) -> None:
        super().__init__(rows=2)

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """Add the picture. Addresses elsewhere are not fetched just because somebody opens this page."""
        text = super().render(name, value, attrs, renderer)
        if not (isinstance(value, str) and value.startswith(INLINED)):
            return text
        return format_html('{}<img class="wb-picture" alt="" src="{}">', text, value)


class Upload(forms.FileField):
    """A picture to upload."""

    def __init__(self) -> None:
        super().__init__(
            label="or upload one",
            required=False,
            widget=PictureInput(),
            help_text=f"PNG, JPEG, GIF, WebP or SVG of at most {PICTURE_BYTES // 1024} KB. It takes the place above.",
        )


class PictureUploads(KeepingForm):
    """A form whose `picture_fields` each have an upload named like them, with `_file` behind."""

    picture_fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.picture_fields:
            if name in self.fields:
                self.fields[name].widget = AddressInput()

    def clean(self) -> dict[str, Any]:
        """Put uploaded pictures into their fields."""
        super().clean()
        for name in self.picture_fields:
            if upload := self.cleaned_data.get(f"{name}_file"):
                self._take(name, upload)
        return self.cleaned_data

    def _take(self, name: str, upload: Any) -> None:
        try:
            # One byte more than allowed tells that it is too large, however large it is.
            self.cleaned_data[name] = picture_address(upload.read(PICTURE_BYTES + 1))
        except DefinitionError as error:
            self.add_error(f"{name}_file", ValidationError(str(error)))
