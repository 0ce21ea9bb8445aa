"""The text that warehouses are sent for pages, and what is left to those who have all rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sqlglot
from sqlalchemy import make_url

from widgets_app.sources.database_server import Server, ServerColumn
from widgets_app.sources.frame import FrameColumn
from widgets_app.sources.page_sql import PageSql
from widgets_app.sources.page_warehouse import WAREHOUSES
from widgets_app.sources.paging import Aggregate, Condition, NotPaged, PageAsk, Sort, level_of

COLUMNS = [
    ServerColumn("NAME", "text", "text"), ServerColumn("N", "number", "integer"), ServerColumn("X", "number", "double"),
    ServerColumn("MONEY", "number", "decimal", 38, 2), ServerColumn("DAY", "date", "date"),
    ServerColumn("AT", "datetime", "timestamp"), ServerColumn("YES", "boolean", "boolean"),
]  # fmt: skip
FILTERS = (
    Condition("NAME", "text", "contains", ("50%",)), Condition("NAME", "set", "in", ("a", None)),
    Condition("X", "number", "greaterThan", (1,)), Condition("MONEY", "number", "lessThan", (2.5,)),
    Condition("DAY", "date", "equals", ("2024-01-02",)), Condition("AT", "date", "lessThan", ("2024-01-02",)),
    Condition("YES", "boolean", "in", (True,)), Condition("N", "text", "startsWith", ("1",)),
)  # fmt: skip
FINITE = "{0} between CAST('-1.7976931348623157e308' AS DOUBLE) and CAST('1.7976931348623157e308' AS DOUBLE)"
ROWS = {
    "snowflake": """SELECT * FROM (
select * from t
) AS "q" WHERE LOWER("q"."NAME") LIKE LOWER(:f0) ESCAPE '!' AND ("q"."NAME" IN (:f1) OR "q"."NAME" IS NULL) \
AND ("q"."X" > :f2 AND {x}) AND CAST("q"."MONEY" AS DOUBLE) < :f3 AND "q"."DAY" = :f4 AND "q"."AT" < :f5 \
AND "q"."YES" IN (:f6) AND LOWER(CAST("q"."N" AS VARCHAR)) LIKE LOWER(:f7) ESCAPE '!' \
ORDER BY "q"."NAME" DESC NULLS LAST, "q"."N" ASC, case when {x} then "q"."X" end ASC, "q"."MONEY" ASC, \
"q"."DAY" ASC, "q"."AT" ASC, "q"."YES" ASC LIMIT :f8 OFFSET :f9""".replace("{x}", FINITE.format('"q"."X"')),
    "databricks": """SELECT * FROM (
select * from t
) AS `q` WHERE LOWER(`q`.`NAME`) LIKE LOWER(:f0) ESCAPE '!' AND (`q`.`NAME` IN (:f1) OR `q`.`NAME` IS NULL) \
AND (`q`.`X` > :f2 AND {x}) AND CAST(`q`.`MONEY` AS DOUBLE) < :f3 AND `q`.`DAY` = :f4 AND `q`.`AT` < :f5 \
AND `q`.`YES` IN (:f6) AND LOWER(CAST(`q`.`N` AS STRING)) LIKE LOWER(:f7) ESCAPE '!' \
ORDER BY `q`.`NAME` DESC, `q`.`N` ASC NULLS LAST, case when {x} then `q`.`X` end ASC NULLS LAST, \
`q`.`MONEY` ASC NULLS LAST, `q`.`DAY` ASC NULLS LAST, `q`.`AT` ASC NULLS LAST, `q`.`YES` ASC NULLS LAST \
LIMIT :f8 OFFSET :f9""".replace("{x}", FINITE.format("`q`.`X`")),
}
GROUPS = {
    "snowflake": """SELECT "q"."NAME" AS "NAME", AVG(CAST("q"."MONEY" AS DOUBLE)) AS "MONEY", SUM("q"."N") AS "N", \
MAX("q"."DAY") AS "DAY" FROM (
select * from t
) AS "q" GROUP BY "q"."NAME" ORDER BY SUM("q"."N") DESC NULLS LAST, "q"."NAME" ASC LIMIT :f0 OFFSET :f1""",
    "databricks": """SELECT `q`.`NAME` AS `NAME`, AVG(CAST(`q`.`MONEY` AS DOUBLE)) AS `MONEY`, SUM(`q`.`N`) AS `N`, \
MAX(`q`.`DAY`) AS `DAY` FROM (
select * from t
) AS `q` GROUP BY `q`.`NAME` ORDER BY SUM(`q`.`N`) DESC, `q`.`NAME` ASC NULLS LAST LIMIT :f0 OFFSET :f1""",
}
# What drivers say of columns: name, code of the type, three that don't matter, digits, decimal places.
DESCRIBED: dict[str, list[tuple[Any, ...]]] = {
    "snowflake": [
        ("NAME", 2, None, 9, None, None, True), ("N", 0, None, None, 38, 0, True), ("X", 1, None, None, None, None, True),
        ("MONEY", 0, None, None, 38, 2, True), ("DAY", 3, None, None, None, None, True),
        ("AT", 8, None, None, 0, 9, True), ("YES", 13, None, None, None, None, True),
    ],
    "databricks": [
        ("NAME", "string", None, None, None, None, None), ("N", "bigint", None, None, None, None, None),
        ("X", "double", None, None, None, None, None), ("MONEY", "decimal", None, None, 38, 2, None),
        ("DAY", "date", None, None, None, None, None), ("AT", "timestamp_ntz", None, None, None, None, None),
        ("YES", "boolean", None, None, None, None, None),
    ],
}  # fmt: skip


def paged(name: str, ask: PageAsk) -> PageSql:
    known = {column.name: column for column in COLUMNS}
    level = level_of(ask, [FrameColumn(column.name, column.kind) for column in COLUMNS])
    return PageSql("select * from t", level, WAREHOUSES[name](known), ("p0",))


def learned(name: str, description: list[tuple[Any, ...]]) -> list[ServerColumn]:
    server = Server(make_url(f"{name}://ana@host/x"))
    return WAREHOUSES[name].learn(
        server, lambda _: SimpleNamespace(cursor=SimpleNamespace(description=description)), ""
    )


@pytest.mark.parametrize("name", WAREHOUSES)
def test_rows_are_filtered_and_sorted_in_their_own_words(name: str) -> None:
    text = paged(name, PageAsk(0, 100, (Sort("NAME", descending=True),), FILTERS)).rows(0, 100)
    assert text == ROWS[name]
    assert sqlglot.parse_one(text, dialect=name)


@pytest.mark.parametrize("name", WAREHOUSES)
def test_groups_have_sums_and_means_that_no_type_cuts_off(name: str) -> None:
    aggregates = (Aggregate("MONEY", "avg"), Aggregate("N", "sum"), Aggregate("DAY", "max"))
    ask = PageAsk(0, 9, (Sort("N", descending=True),), groups=("NAME",), aggregates=aggregates)
    assert paged(name, ask).rows(0, 100) == GROUPS[name]


@pytest.mark.parametrize("name", WAREHOUSES)
def test_rows_without_an_order_get_one_by_all_columns(name: str) -> None:
    assert paged(name, PageAsk(0, 100)).rows(0, 100).count("ASC") == len(COLUMNS)


@pytest.mark.parametrize("name", WAREHOUSES)
@pytest.mark.parametrize("ask", [
    PageAsk(0, 9, filters=(Condition("X", "text", "contains", ("1",)),)),
    PageAsk(0, 9, filters=(Condition("DAY", "text", "contains", ("1",)),)),
    PageAsk(0, 9, groups=("NAME",), aggregates=(Aggregate("N", "first"),)),
    PageAsk(0, 9, groups=("NAME",), aggregates=(Aggregate("YES", "max"),)),
])  # fmt: skip
def test_what_is_not_sure_to_be_right_is_left_to_others(name: str, ask: PageAsk) -> None:
    with pytest.raises(NotPaged):
        paged(name, ask).rows(0, 9)


@pytest.mark.parametrize("name", WAREHOUSES)
def test_the_types_of_columns_are_those_that_the_driver_tells(name: str) -> None:
    assert [(one.name, one.kind, one.type) for one in learned(name, DESCRIBED[name])] == [
        (one.name, one.kind, one.type) for one in COLUMNS
    ]


@pytest.mark.parametrize(("name", "code"), [
    ("snowflake", 5), ("snowflake", 6), ("snowflake", 11), ("databricks", "timestamp"), ("databricks", "array"),
    ("databricks", "binary"), ("databricks", None), ("databricks", "float"),
])  # fmt: skip
def test_a_type_that_is_not_known_well_enough_is_left_to_others(name: str, code: object) -> None:
    with pytest.raises(NotPaged):
        learned(name, [("V", code, None, None, None, None, None)])
