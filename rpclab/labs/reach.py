"""Which modules a student's part reaches for: also from its helpers, and by an import inside a function."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator
from typing import Any

__all__ = ["modules_of"]


def modules_of(part: Any) -> set[str]:
    """The first names of the modules from which a function or a class takes something, its own module left out."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        for code, reached in _functions(each):
            for name in _names(code):
                value = reached.get(name)
                if value is None:
                    continue
                home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or ""
                if home == getattr(part, "__module__", None):
                    waiting.append(value)
                else:
                    found.add(home.partition(".")[0])
            found |= _imported(code)
    return found


def _functions(value: Any) -> Iterator[tuple[types.CodeType, dict[str, Any]]]:
    """The code of a function, or of a class's methods, with what is inside it; and the globals it sees."""
    if not isinstance(value, type) and not hasattr(value, "__code__"):
        value = type(value)
    for each in vars(value).values() if isinstance(value, type) else [value]:
        if isinstance(each, property):
            each = each.fget
        each = getattr(each, "__func__", each)
        code = getattr(each, "__code__", None)
        if code is not None:
            yield from ((inner, each.__globals__) for inner in _nested(code))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _names(code: types.CodeType) -> set[str]:
    return {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


def _imported(code: types.CodeType) -> set[str]:
    return {step.argval.partition(".")[0] for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
