"""What is made of what, for the pages of sources, queries and widgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from widgets_app.admin.navigation import may_view
from widgets_app.services import lineage
from widgets_app.services.lineage import Node


def shown(request: HttpRequest, nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Return nodes by kind for a template, with links to those that the user may see."""
    return [
        {
            "title": lineage.plural(group.kind).capitalize(),
            "nodes": [{"name": node.name, "what": node.what, "url": _url(request, node)} for node in group.nodes],
            "more": group.more,
        }
        for group in lineage.grouped(nodes)
    ]


def _url(request: HttpRequest, node: Node) -> str:
    if not may_view(request, f"widgets_app.{node.kind}"):
        return ""
    return reverse(f"admin:widgets_app_{node.kind}_change", args=[node.pk])
