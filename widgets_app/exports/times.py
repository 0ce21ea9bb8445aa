"""Times as text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def iso_times(column: pa.Array) -> pa.Array:
    """Write times in ISO 8601, with no more digits than they have, and Z where they are of a time zone."""
    local = column.cast(pa.timestamp(column.type.unit))
    text = pc.replace_substring(local.cast(pa.string()), " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, r"(\.[0-9]*[1-9])0+$", r"\1")
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    return pc.binary_join_element_wise(text, "Z", "") if column.type.tz else text
