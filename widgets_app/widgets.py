"""Python functions as data: the example to copy. A module of this name in any installed app is found at start.

Beside SQL, a query may name a function: choose a source of the kind "Python functions" and write the function's name
as the query's text. Its arguments are the query's placeholders, so a widget needs a parameter for each of them.
"""

from __future__ import annotations

from widgets_app.functions import data_function


@data_function
def hello_world(name: str = "") -> str:
    """Return the greeting of the widget "Hello World", as Markdown."""
    return f"# Hello World {name}"
