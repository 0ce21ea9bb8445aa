"""Data from Python: decorate a function in a module named `widgets.py` of any installed app.

    from widgets_app.functions import data_function

    @data_function
    def prices(ticker: str, days: int = 30) -> list[dict[str, object]]:
        return [...]

A query of a Python source names the function in its text; the arguments are the query's placeholders. An argument
named `caller` gets a mapping that tells who asks (name, user, groups, values) and is not a placeholder. The function
may return rows (dicts), one dict, text, None, a data frame or an Arrow table, and may raise
`widgets_app.errors.BadRequest` to say what is wrong with a value. It may be written with `async def`: then it is
cancelled at its time limit. All of these share one event loop: what blocks belongs into `asyncio.to_thread`.
"""

from __future__ import annotations

import datetime
import enum
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from django.utils.module_loading import autodiscover_modules

from widgets_app.errors import DefinitionError

CALLER = "caller"
MODULE = "widgets"

Function = TypeVar("Function", bound=Callable[..., object])

_LISTS = (list, tuple, set, frozenset, Sequence)
_KINDS: Mapping[Literal["boolean", "number", "date", "text"], tuple[type, ...]] = {
    "boolean": (bool,), "number": (int, float, Decimal), "date": (datetime.date,), "text": (str,),
}  # fmt: skip

_FUNCTIONS: dict[str, DataFunction] = {}


@dataclass(frozen=True, slots=True)
class Argument:
    """What an argument takes, as far as its function tells: `choices` are all its values, `many` says several.

    One that is optional has the default None.
    """

    type: Literal["", "text", "number", "boolean", "date"] = ""
    default: Any = None
    is_optional: bool = False
    choices: tuple[Any, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True)
class DataFunction:
    """A registered function: `defaults` has the names of its arguments with their defaults, `caller` left out."""

    name: str
    function: Callable[..., object]
    defaults: Mapping[str, Any]
    wants_caller: bool
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __call__(self, values: Mapping[str, Any], caller: Mapping[str, Any]) -> object:
        """Call with the values given; an argument whose value is None gets its default, if it has one."""
        given = {name: self._value(name, values[name]) for name in self.defaults}
        return self.function(**given, **({CALLER: caller} if self.wants_caller else {}))

    def _value(self, name: str, value: Any) -> Any:
        default = self.defaults[name]
        return default if value is None and default is not inspect.Parameter.empty else value


@overload
def data_function(function: Function, /) -> Function: ...
@overload
def data_function(name: str, /) -> Callable[[Function], Function]: ...
def data_function(first: Function | str, /) -> Function | Callable[[Function], Function]:
    """Register a function under its own name, or under the name given: `@data_function("fx")`.

    Raises DefinitionError for a name that is taken and for a function that can't be called with named values.
    """
    if not isinstance(first, str):
        return _register(first.__name__, first)
    name = first
    return lambda function: _register(name, function)


def autodiscover() -> None:
    """Import the module `widgets` of every installed app that has one."""
    autodiscover_modules(MODULE)


def functions() -> dict[str, DataFunction]:
    """Return every registered function by its name."""
    return dict(_FUNCTIONS)


def _register(name: str, function: Function) -> Function:
    known = _FUNCTIONS.get(name)
    if known is not None and known.function is not function:
        where = f"{known.function.__module__} and {function.__module__}"
        raise DefinitionError(f'Two functions are registered as "{name}", in {where}. Give one another name.')
    _FUNCTIONS[name] = _described(name, function)
    return function


def _described(name: str, function: Callable[..., object]) -> DataFunction:
    if not inspect.isfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f'"{name}" can\'t be registered: only functions can, written with "def" or "async def".')
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DefinitionError(
                f'"{name}" can\'t be registered: its argument "{parameter}" can\'t be given by name. '
                "Write each argument out, without * and /."
            )
    defaults = {key: parameter.default for key, parameter in parameters.items() if key != CALLER}
    return DataFunction(name, function, defaults, CALLER in parameters, _arguments(function, defaults))


def _arguments(function: Callable[..., object], defaults: Mapping[str, Any]) -> dict[str, Argument]:
    try:
        hints = get_type_hints(function)
    except Exception:
        # Names that only type checkers know, for example.
        hints = {}
    return {name: _argument(hints.get(name), default) for name, default in defaults.items()}


def _argument(hint: Any, default: Any) -> Argument:
    is_optional = default is None
    default = None if default is inspect.Parameter.empty else default
    if hint is None:
        hint = type(default)
    (hint, *others) = [one for one in _alternatives(hint) if one is not types.NoneType] or [None]
    many = get_origin(hint) in _LISTS and not others
    if many:
        hint = get_args(hint)[0]
    choices = _choices(hint)
    kinds = {_kind(type(choice) if choices else one) for one in (hint, *others) for choice in choices or (None,)}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return Argument(kind, _plain(default), is_optional, choices, many)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(hint: Any) -> tuple[Any, ...]:
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return tuple(member.value for member in hint)
    return get_args(hint) if get_origin(hint) is Literal else ()


def _kind(hint: Any) -> Literal["", "text", "number", "boolean", "date"]:
    if not inspect.isclass(hint):
        return ""
    # True is a number to Python.
    for kind, classes in _KINDS.items():
        if issubclass(hint, classes):
            return kind
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(str(_plain(one)) for one in value) or None
    return value if isinstance(value, str | int | float) else None
