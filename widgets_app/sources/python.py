"""The source kind "python": functions that developers registered."""

from __future__ import annotations

import enum
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import close_old_connections

from widgets_app import functions
from widgets_app.errors import DefinitionError, RequestError, SourceFailed
from widgets_app.sources import event_loop, placeholders
from widgets_app.sources.base import (
    Call,
    Limits,
    PreparedQuery,
    SourceBackend,
    Step,
    Table,
    TableColumn,
    is_key_name,
    matching,
)
from widgets_app.sources.frame import Frame
from widgets_app.sources.registry import register
from widgets_app.sources.rows import frame_from_rows

T = TypeVar("T")

logger = logging.getLogger("widgets_app.sources")

# How tables of other libraries hand out their rows: Polars and DuckDB, Arrow, pandas.
_ROWS_OF_TABLES = (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",)))


class PythonQuery(PreparedQuery):
    """One call of a registered function."""

    def __init__(self, function: functions.DataFunction) -> None:
        self.function = function
        self.placeholders = tuple(function.defaults)
        self.arguments = function.arguments
        self.uses_caller = function.wants_caller

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Call the function. A RequestError that it raises is passed on, anything else becomes SourceFailed."""
        return self._guarded(lambda: frame_from_rows(_rows(self._result(values, call)), limits))

    def act(self, values: Mapping[str, Any], call: Call) -> None:
        """Call the function for what it does, whatever it returns. Raises as `run`."""
        self._guarded(lambda: self._result(values, call))

    def _result(self, values: Mapping[str, Any], call: Call) -> object:
        result = self.function(values, call.caller)
        return event_loop.run(result, call, name=self.function.name) if inspect.iscoroutine(result) else result

    def _guarded(self, work: Callable[[], T]) -> T:
        # Work in threads of our own gets no clean-up of database connections from Django.
        close_old_connections()
        try:
            return work()
        except RequestError:
            raise
        except Exception as error:
            logger.exception('The function "%s" failed', self.function.name)
            raise SourceFailed(
                f'The function "{self.function.name}" failed: {type(error).__name__}: {error}'
            ) from error
        finally:
            close_old_connections()


@register
class PythonBackend(SourceBackend):
    """Registered functions; the text of a query is the name of one."""

    kind = "python"
    label = "Python functions"
    help = (
        "Functions that developers registered with @data_function in a module named widgets.py. "
        "The text of a query is the name of a function; its arguments are the placeholders."
    )
    no_tables = "None yet. Register one with @data_function in a module named widgets.py of an installed app."

    def prepare(self, text: str) -> PythonQuery:
        """Look the function up by its name."""
        known = functions.functions()
        name = text.strip()
        if name not in known:
            there = ", ".join(sorted(known)) or "none yet"
            raise DefinitionError(f'There is no function "{name}". Functions: {there}.')
        placeholders.check_names(known[name].defaults)
        if reserved := next(filter(is_key_name, known[name].defaults), None):
            raise DefinitionError(
                f'The argument "{reserved}" can\'t be used: what callers hold comes with the argument caller, '
                'in caller["values"]. Choose another name.'
            )
        return PythonQuery(known[name])

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Look for functions, and for those whose arguments can't be placeholders. None is called."""
        names = sorted(functions.functions())
        if not names:
            yield Step("Functions", self.no_tables, "warning")
            return
        yield Step("Functions", f"{len(names)}: {', '.join(names)}.")
        for name in names:
            try:
                self.prepare(name)
            except DefinitionError as error:
                yield Step(f"Function {name}", str(error), "warning", "Give the argument another name.")

    def tables(self, search: str, limits: Limits, call: Call) -> Sequence[Table]:
        """Return the functions."""
        known = functions.functions().items()
        return matching((_described(name, found.function) for name, found in known), search)

    def table_columns(self, table: Table, limits: Limits, call: Call) -> Sequence[TableColumn]:
        """Return the arguments of a function."""
        found = functions.functions()[table.name]
        written = inspect.signature(found.function).parameters
        return [TableColumn(name, _annotation(written[name]), _default(written[name])) for name in found.defaults]


def _described(name: str, function: Callable[..., object]) -> Table:
    return Table(name, name, "function", inspect.getdoc(function) or "", is_called=True)


def _annotation(parameter: inspect.Parameter) -> str:
    written = parameter.annotation
    if written is parameter.empty:
        return ""
    # Annotations of many modules stay the text that they are.
    return written if isinstance(written, str) else inspect.formatannotation(written)


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default.value if isinstance(parameter.default, enum.Enum) else parameter.default
    return "has to be given" if default is parameter.empty else f"{default!r} if not given"


def _rows(result: object) -> Iterable[Mapping[Any, Any]]:
    if result is None:
        return ()
    if isinstance(result, str):
        return ({"text": result},)
    if isinstance(result, Mapping):
        return (result,)
    for method, arguments in _ROWS_OF_TABLES:
        if callable(rows := getattr(result, method, None)):
            return _checked(rows(*arguments))
    return _checked(result)


def _checked(rows: object) -> Iterable[Mapping[Any, Any]]:
    if not isinstance(rows, Iterable) or isinstance(rows, bytes):
        raise TypeError(f"it returned {type(rows).__name__}; return a list of dicts, a dict, text or a data frame")
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"it returned rows of type {type(row).__name__}; return dicts")
        yield row
