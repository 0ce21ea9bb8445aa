"""The words of the product, one file per concept."""

from __future__ import annotations

from widgets_app.models.agent import Agent
from widgets_app.models.api_key import ApiKey
from widgets_app.models.app import App, ParameterGroup, Placement, Tab
from widgets_app.models.checkup import Checkup
from widgets_app.models.collection import CollectionRow, FormAction, Submission
from widgets_app.models.column import Column
from widgets_app.models.parameter import Choice, Parameter
from widgets_app.models.query import Query
from widgets_app.models.revision import Revision, Version
from widgets_app.models.row_value import ALL_ROWS, RowValue
from widgets_app.models.source import Source
from widgets_app.models.widget import Feed, Widget

__all__ = [
    "ALL_ROWS",
    "Agent",
    "ApiKey",
    "App",
    "Checkup",
    "Choice",
    "CollectionRow",
    "Column",
    "Feed",
    "FormAction",
    "Parameter",
    "ParameterGroup",
    "Placement",
    "Query",
    "Revision",
    "RowValue",
    "Source",
    "Submission",
    "Tab",
    "Version",
    "Widget",
]
