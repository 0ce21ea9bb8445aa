"""Users and groups, in the look of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType

from widgets_app.admin.row_value import RowValueInline
from widgets_app.admin.site import site
from widgets_app.admin.theme import AdminPasswordChangeForm, ModelAdmin, UserChangeForm, UserCreationForm

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin


@admin.register(User, site=site)
class BackendUserAdmin(_UserAdmin, ModelAdmin):
    """People who sign in here, and owners of keys."""

    form: Any = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    inlines = (RowValueInline,)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer permissions for what there are pages for."""
        return super().formfield_for_manytomany(db_field, request, **{**usable(db_field), **kwargs})


@admin.register(Group, site=site)
class BackendGroupAdmin(GroupAdmin, ModelAdmin):
    """Who may see what, and who may do what here."""

    filter_horizontal = ()
    inlines = (RowValueInline,)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer permissions for what there are pages for."""
        return super().formfield_for_manytomany(db_field, request, **{**usable(db_field), **kwargs})


def usable(db_field: Any) -> dict[str, Any]:
    """Return the permissions to choose from, as an argument for a field of permissions."""
    if db_field.related_model is not Permission:
        return {}
    types = ContentType.objects.get_for_models(*site._registry).values()
    permissions = Permission.objects.filter(content_type__in=types).select_related("content_type")
    return {"queryset": permissions.order_by("content_type__app_label", "content_type__model", "codename")}
