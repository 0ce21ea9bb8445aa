"""Looking at sources: tests that say what is wrong and hold their limits, tables and what is in them."""

from __future__ import annotations
