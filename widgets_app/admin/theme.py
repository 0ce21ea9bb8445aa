"""What is used of unfold, the theme. It has no types, so the checker is shown the classes of Django's own admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django import forms
    from django.contrib import admin
    from django.contrib.admin.views.main import ChangeList
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

    Method = TypeVar("Method", bound=Callable[..., Any])

    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    AdminSite = admin.AdminSite
    CheckboxesInput = forms.CheckboxSelectMultiple
    FileInput = forms.ClearableFileInput
    NullBooleanInput = forms.NullBooleanSelect
    NumberInput = forms.NumberInput
    PasswordInput = forms.PasswordInput
    RadioInput = forms.RadioSelect
    SelectInput = forms.Select
    SwitchInput = forms.CheckboxInput
    TextInput = forms.TextInput
    TextareaInput = forms.Textarea

    def action(
        *, description: str, url_path: str = ..., permissions: Sequence[str] = ..., icon: str = ...
    ) -> Callable[[Method], Method]:
        """Mark a method as an action of a list, or as a page of an object."""

    def display(
        *, description: str, ordering: str = ..., label: object = ..., boolean: bool = ...
    ) -> Callable[[Method], Method]:
        """Describe a method that fills a column of a list."""
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.decorators import action, display
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.sites import UnfoldAdminSite as AdminSite
    from unfold.views import ChangeList
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxesInput
    from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput
    from unfold.widgets import UnfoldAdminIntegerFieldWidget as NumberInput
    from unfold.widgets import UnfoldAdminNullBooleanSelectWidget as NullBooleanInput
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordInput
    from unfold.widgets import UnfoldAdminRadioSelectWidget as RadioInput
    from unfold.widgets import UnfoldAdminSelectWidget as SelectInput
    from unfold.widgets import UnfoldAdminTextareaWidget as TextareaInput
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
    from unfold.widgets import UnfoldBooleanSwitchWidget as SwitchInput

__all__ = [
    "AdminPasswordChangeForm",
    "AdminSite",
    "ChangeList",
    "CheckboxesInput",
    "FileInput",
    "ModelAdmin",
    "NullBooleanInput",
    "NumberInput",
    "PasswordInput",
    "RadioInput",
    "SelectInput",
    "SwitchInput",
    "TabularInline",
    "TextInput",
    "TextareaInput",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
]
