"""The admin's site: its front page, its order, and that a change is served at once."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.http import urlencode

from widgets_app import catalog
from widgets_app.admin.theme import AdminSite
from widgets_app.authentication import KEYS

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class BackendAdminSite(AdminSite):
    """The admin of a backend for Workspace."""

    index_template = "admin/widgets_app/front_page.html"
    index_title = "Overview"
    enable_nav_sidebar = True

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Serve what a request has changed as soon as its transaction is over."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def served_at_once(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response: HttpResponse = inner(request, *args, **kwargs)
            if request.method not in SAFE_METHODS:
                catalog.check()
                KEYS.check()
            return response

        return served_at_once

    def get_urls(self) -> Any:
        """Add the pages that are about no model in particular."""
        from widgets_app.admin import (
            checkup_page,
            connection_page,
            exporting,
            findings_page,
            guide,
            importing,
            modernising,
        )

        # Address -> name and page.
        pages = {
            "import/": ("import", importing.page),
            "export/": ("export", exporting.page),
            "findings/": ("findings", findings_page.page),
            "modernise/": ("modernise", modernising.page),
            "connection/": ("connection", connection_page.page),
            "connection/test/": ("connection_test", connection_page.test),
            "connection/authority/": ("authority", connection_page.authority),
            "connection/examinations/<int:pk>/": ("checkup", checkup_page.page),
            "connection/examinations/<int:pk>/progress/": ("checkup_progress", checkup_page.progress),
            "guide/<slug:name>/": ("guide", guide.page),
        }
        return [
            *(path(address, self.admin_view(page), name=name) for address, (name, page) in pages.items()),
            *super().get_urls(),
        ]

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        """Return a page in the frame of the admin. Half characters of other people's texts show as question marks."""
        request.current_app = self.name
        text = render_to_string(template, {**self.each_context(request), **context}, request)
        return HttpResponse(text.encode("utf-8", "replace"))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Lead to the front page who comes from nowhere: the theme's form does not say where to."""
        if request.method == "GET" and REDIRECT_FIELD_NAME not in request.GET:
            return HttpResponseRedirect(f"{request.path}?{urlencode({REDIRECT_FIELD_NAME: reverse('admin:index')})}")
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Say what is served, what is wrong and how to connect."""
        from widgets_app.admin.front_page import overview

        return super().index(request, {**overview(request), **(extra_context or {})})


site = BackendAdminSite()
