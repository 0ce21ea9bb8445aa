"""Tables whose rows come page by page, sorted, filtered and grouped before they are sent."""

from __future__ import annotations

from widgets_app.shapes.base import Ask, Body, json_body
from widgets_app.shapes.registry import register
from widgets_app.shapes.table import Table
from widgets_app.sources.frame import Frame


@register
class PagedTable(Table):
    """`{"rowData": rows, "rowCount": n}` for a page asked for by POST; a GET gets the rows like any table."""

    types = ("ssrm_table", "table_ssrm")

    def render_page(self, page: Frame, total: int, ask: Ask) -> Body:
        """Return one page and how many rows there are at its level."""
        return json_body(b'{"rowData":%b,"rowCount":%d}' % (page.json, total), ask.data_key)
