"""Pages of the documentation inside the admin, so that what is said about a finding is one click away."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from markdown_it import MarkdownIt

from widgets_app.admin.site import site

_TITLE = re.compile(r"\A# (.+)\n")
_HEADING = re.compile(r"<(h[2-6])>(.*?)</\1>")
# The first cell of a row names what the row is about.
_FIRST_CELL = re.compile(r"<tr>\s*<td[^>]*>.*?</td>", re.DOTALL)
_CODE = re.compile(r"<code>([a-z0-9-]+)</code>")
_LINK = re.compile(r'href="([a-z-]+)\.md(#[^"]*)?"')


def guide_url(name: str, anchor: str = "") -> str:
    """Return the address of a page of the documentation; empty where it doesn't come with this server."""
    if not _path(name).is_file():
        return ""
    return reverse("admin:guide", args=[name]) + (f"#{anchor}" if anchor else "")


def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show a page of the documentation, with an anchor at each heading and at what each row of a table names."""
    try:
        title, content = _rendered(_path(name))
    except OSError:
        raise Http404("There is no such page in the documentation.") from None
    return site.page(request, "admin/widgets_app/guide.html", title=title or name, content=content, name=name)


def _path(name: str) -> Path:
    return Path(settings.BASE_DIR) / "docs" / f"{name}.md"


@cache
def _rendered(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    title = _TITLE.match(text)
    html = MarkdownIt("commonmark").enable("table").render(_TITLE.sub("", text))
    html = _HEADING.sub(lambda found: f'<{found[1]} id="{_anchor(found[2])}">{found[2]}</{found[1]}>', html)
    html = _FIRST_CELL.sub(lambda found: _CODE.sub(r'<code id="\1">\1</code>', found[0]), html)
    html = _LINK.sub(lambda found: f'href="{reverse("admin:guide", args=[found[1]])}{found[2] or ""}"', html)
    return title[1] if title else "", mark_safe(html)  # noqa: S308  pages that come with the project


def _anchor(title: str) -> str:
    """Return the anchor that a heading has where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]+>", "", title).lower()).strip().replace(" ", "-")
