"""Addresses of the backend's own documents, and of data: every path that is not ours."""

from __future__ import annotations

from django.urls import path, re_path

from widgets_app import connection, documents, views

urlpatterns = [
    path("", views.RootView.as_view()),
    *(path(name.removeprefix("/"), views.DocumentView.as_view(), {"path": name}) for name in documents.DOCUMENTS),
    path(documents.HEALTH.removeprefix("/"), views.health),
    path(f"{documents.FILES.removeprefix('/')}<str:source>", views.FilesView.as_view()),
    path(f"{documents.FILES.removeprefix('/')}<str:source>/<path:name>", views.FileView.as_view()),
    path(f"{connection.PREFIX.removeprefix('/')}<str:token>/frame", views.connection_frame, name="connection_frame"),
    path(f"{connection.PREFIX.removeprefix('/')}<str:token>/ask", views.connection_ask, name="connection_ask"),
    path("-/export/<path:name>", views.ExportView.as_view()),
    re_path(r"^(?P<path>.+)$", views.DataView.as_view()),
]
