"""Python functions as data: the example to copy. A module of this name in any installed app is found at start.

Beside SQL, a query may name a function: choose a source of the kind "Python functions" and write the function's name
as the query's text. Its arguments are the query's placeholders, so a widget needs a parameter for each of them.
"""

from __future__ import annotations

from widgets_app.functions import data_function

MONTHS = 12


@data_function
def hello_world(name: str = "") -> str:
    """Return the greeting of the widget "Hello World", as Markdown."""
    return f"# Hello World {name}"


@data_function
def savings_plan(start: float = 0, monthly: float = 0, rate: float = 0, years: int = 10) -> list[dict[str, object]]:
    """Return what a savings plan grows to, month by month; `rate` is the interest a year in percent."""
    growth = (1 + rate / 100) ** (1 / MONTHS)
    balance = paid_in = start
    rows: list[dict[str, object]] = [_month(0, paid_in, balance)]
    for month in range(1, int(years) * MONTHS + 1):
        balance, paid_in = balance * growth + monthly, paid_in + monthly
        rows.append(_month(month, paid_in, balance))
    return rows


def _month(month: int, paid_in: float, balance: float) -> dict[str, object]:
    return {"month": month, "paid_in": round(paid_in, 2), "interest": round(balance - paid_in, 2)}
