"""The demo, loaded."""

from __future__ import annotations

import pytest

from tests.conftest import refresh
from widgets_app.services.demo import Loaded, demo_load


@pytest.fixture
def demo(db: None) -> Loaded:
    """What loading the demo into an empty database said."""
    loaded = demo_load()
    refresh()
    return loaded
