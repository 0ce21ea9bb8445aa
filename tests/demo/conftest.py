"""The demo, loaded."""

from __future__ import annotations

import pytest

from tests.conftest import refresh
from widgets_app.services.bundles import Plan
from widgets_app.services.demo import demo_load


@pytest.fixture
def demo(db: None) -> Plan:
    """What loading the demo into an empty database said."""
    loaded = demo_load()
    refresh()
    return loaded
