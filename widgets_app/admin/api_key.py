"""API keys: the secret is shown once, in the answer to the request that issued it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from widgets_app.admin.base import BackendAdmin, change_url, strings
from widgets_app.admin.forms import KeepingForm
from widgets_app.admin.row_value import RowValueInline
from widgets_app.admin.site import site
from widgets_app.admin.theme import action, display
from widgets_app.authentication import HEADER, QUERY_NAME
from widgets_app.errors import DefinitionError
from widgets_app.models import ApiKey
from widgets_app.services.keys import clean_networks, key_issue, key_revoke

STATES = {"active": "published", "expired": "changed", "revoked": "errors", "owner inactive": "errors"}


class ApiKeyForm(KeepingForm):
    """What may be chosen about a key."""

    def clean_networks(self) -> Any:
        """Write networks in their usual form."""
        networks = self.cleaned_data["networks"]
        if not networks or not self.touched("networks"):
            return networks
        try:
            return clean_networks(networks if isinstance(networks, list) else [networks])
        except DefinitionError as error:
            raise ValidationError(str(error)) from None

    def clean_expires_at(self) -> Any:
        """Refuse a time that is over."""
        expires = self.cleaned_data["expires_at"]
        if expires and self.touched("expires_at") and expires <= timezone.now():
            raise ValidationError("This is in the past. To stop a key, revoke it.")
        return expires


class KeyStateFilter(admin.SimpleListFilter):
    """Which keys work."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """Return the states to choose from."""
        return [("active", "Active"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the keys in the chosen state."""
        kept, over = queryset.filter(revoked_at=None), {"expires_at__lte": timezone.now()}
        chosen = {
            "active": lambda: kept.exclude(**over),
            "expired": lambda: kept.filter(**over),
            "revoked": lambda: queryset.exclude(revoked_at=None),
        }.get(self.value() or "")
        return chosen() if chosen else queryset


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(BackendAdmin):
    """The pages of keys."""

    form = ApiKeyForm
    inlines = (RowValueInline,)
    autocomplete_fields = ("user", "groups")
    list_display = ("name", "shown_prefix", "user", "group_names", "state", "expires_at", "last_used_at")
    list_filter = (KeyStateFilter, "groups")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    actions = ("revoke_selected",)
    actions_detail = ("revoke",)
    json_fields: ClassVar[Any] = {"networks": strings()}
    add_fieldsets = ((None, {"fields": ["name", "user", "groups", "expires_at", "networks", "may_put_files"]}),)
    fieldsets = (
        (None, {"fields": ["name", "groups", "expires_at", "networks", "may_put_files"]}),
        ("About the key", {"fields": ["shown_prefix", "user", "state", "created_at", "last_used_at", "revoked_at"]}),
    )
    about = ("shown_prefix", "user", "state", "created_at", "last_used_at", "revoked_at")

    @display(description="begins with", ordering="prefix")
    def shown_prefix(self, obj: ApiKey) -> str:
        """Return the part of the key that is kept in clear."""
        return f"wk_{obj.prefix}_…"

    @display(description="groups")
    def group_names(self, obj: ApiKey) -> str:
        """Return the groups of the key itself."""
        return ", ".join(group.name for group in obj.groups.all())

    @display(description="state")
    def state(self, obj: ApiKey) -> SafeString:
        """Say whether the key works."""
        state = state_of(obj)
        return format_html('<span class="wb-label wb-{}">{}</span>', STATES[state], state.capitalize())

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the groups at once."""
        return super().get_queryset(request).select_related("user").prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Fix the owner once the key is issued, and everything once it is revoked."""
        if obj is None:
            return ()
        return (*self.about, *(("name", "groups", "expires_at", "networks", "may_put_files") if obj.revoked_at else ()))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Leave "Revoke" out where it is done."""
        live = ApiKey.objects.filter(pk=unquote(str(object_id)), revoked_at=None).exists()
        found: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's method
        return found if live else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Issue a new key. Its text lives in this request only: neither messages nor the session get it."""
        if change:
            super().save_model(request, obj, form, change)
            return
        data = form.cleaned_data
        issued, text = key_issue(
            name=data["name"],
            user=data["user"],
            groups=data["groups"],
            expires_at=data["expires_at"],
            networks=data["networks"] or [],
            may_put_files=data["may_put_files"],
        )
        obj.pk = issued.pk
        obj.refresh_from_db()
        obj.text = text

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key in this very answer: a redirect would have to keep it somewhere in between."""
        context = {"title": f"Key for {obj.name}", "text": obj.text, "header": HEADER, "back": change_url(obj)}
        if settings.WIDGETS_QUERY_KEY:
            context["query"] = f"{settings.PUBLIC_URL}/widgets.json?{QUERY_NAME}={obj.text}"
        return self.page(request, "admin/widgets_app/issued.html", obj, public_url=settings.PUBLIC_URL, **context)

    @action(description="Revoke", url_path="revoke", permissions=["change"], icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then refuse the key from now on."""
        key = self.row_or_404(request, object_id)
        if request.method == "POST":
            self._revoke(request, key)
            return HttpResponseRedirect(change_url(key))
        text = "Requests with it are refused from now on. This can't be undone; a new key can be issued at any time."
        return self.ask(request, key, title=f"Revoke the key “{key}”?", text=text, button="Revoke")

    @action(description="Revoke", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Refuse the selected keys from now on."""
        for key in queryset:
            self._revoke(request, key)

    def _revoke(self, request: HttpRequest, key: ApiKey) -> None:
        key_revoke(prefix=key.prefix)
        messages.success(request, f"“{key}” is revoked. It is refused everywhere within two seconds.")


def state_of(key: ApiKey) -> str:
    """Say whether a key works: active, expired, revoked, or its owner may not sign in."""
    if key.revoked_at:
        return "revoked"
    if key.expires_at and key.expires_at <= timezone.now():
        return "expired"
    return "owner inactive" if key.user and not key.user.is_active else "active"
