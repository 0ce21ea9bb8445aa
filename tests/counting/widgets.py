"""The functions. The file is the one that COUNT_FILE names."""

from __future__ import annotations

import os
import time

from widgets_app.functions import data_function


@data_function
def counted(seconds: float = 0.5) -> list[dict[str, object]]:
    """Take a while, and return the process and the moment."""
    with open(os.environ["COUNT_FILE"], "a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return [{"process": os.getpid(), "moment": time.time()}]
