"""Addresses: the admin's, then the backend's."""

from __future__ import annotations

from django.urls import include, path

from widgets_app.admin.site import site

urlpatterns = [
    path("admin/", site.urls),
    path("", include("widgets_app.urls")),
]

handler400 = "widgets_app.exceptions.bad_request"
handler404 = "widgets_app.exceptions.not_found"
handler500 = "widgets_app.exceptions.server_error"
