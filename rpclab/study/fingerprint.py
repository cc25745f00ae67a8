"""What a function, or a value, is made of, as a text: two that may act differently have different ones, also in another process.

A value's `repr` would not do: that of a function or of most objects is an address, which something else may have next time, and
that of a large array leaves out its middle. What cannot be read at all has another text each time: its results are not found
again, and no others in their place.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from uuid import uuid4

import cloudpickle
from blake3 import blake3

__all__ = ["fingerprint", "told"]

_PLAIN = (bool, int, float, complex, str, bytes, range, type(None), type(Ellipsis))


def fingerprint(experiment: Callable[..., Any]) -> str:
    """64 hexadecimal digits that change with the function: its name, source, defaults, closure, module and rpclab's version; in a
    notebook or a script with what it uses of that, not with the rest."""
    try:
        version = importlib.metadata.version("rpclab")
    except importlib.metadata.PackageNotFoundError:  # used from its folder, never installed
        version = ""
    inner: Any = experiment
    while isinstance(inner, functools.partial):
        inner = inner.func
    module = inspect.getmodule(inner)
    source = "" if module is None or module.__name__ == "__main__" else _source(module)
    return blake3("\0".join([version, source, told(experiment)]).encode("utf-8", "surrogatepass")).hexdigest()


def told(value: Any) -> str:
    """What this value is, down to its last part."""
    return "\0".join(_parts(value, set()))


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    kind = type(value)
    if kind in _PLAIN:
        yield f"{kind.__name__} {value!r}"
        return
    if id(value) in seen:  # within itself
        yield "again"
        return
    inside = seen | {id(value)}
    yield f"({kind.__module__}.{kind.__qualname__}"
    if kind in (list, tuple):
        for each in value:
            yield from _parts(each, inside)
    elif kind is dict:
        for item in value.items():
            yield from _parts(item, inside)
    elif kind in (set, frozenset):
        yield from sorted("\0".join(_parts(each, inside)) for each in value)
    elif isinstance(value, functools.partial):
        yield from _parts((value.func, value.args, value.keywords), inside)
    elif isinstance(value, MethodType):
        yield from _parts((value.__func__, value.__self__), inside)
    elif isinstance(value, FunctionType):
        yield from _function(value, inside)
    elif isinstance(value, CodeType):
        yield from _code(value, inside)
    elif isinstance(value, ModuleType | BuiltinFunctionType) or (kind is type and value.__module__ != "__main__"):
        yield f"{getattr(value, '__module__', '')} {getattr(value, '__qualname__', value.__name__)}"
    elif hasattr(value, "dtype") and hasattr(value, "tobytes") and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape} {blake3(value.tobytes()).hexdigest()}"
    else:
        yield _pickled(value)
    yield ")"


def _function(function: FunctionType, seen: set[int]) -> Iterator[str]:
    yield function.__qualname__
    yield _source(function)  # of two lambdas in one line the code is not the same
    yield from _code(function.__code__, seen)
    yield from _parts((function.__defaults__, function.__kwdefaults__), seen)
    for cell in function.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue
        yield from _parts(held, seen)
    if function.__module__ == "__main__":
        yield from _used(function.__code__, function.__globals__, seen)


def _code(code: CodeType, seen: set[int]) -> Iterator[str]:
    yield code.co_code.hex()
    yield from _parts((code.co_consts, code.co_names, code.co_varnames), seen)


def _used(code: CodeType, names: Mapping[str, Any], seen: set[int]) -> Iterator[str]:
    """What a function of a notebook uses of the notebook's other cells."""
    for name in code.co_names:
        if name in names:
            yield name
            yield from _parts(names[name], seen)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _used(constant, names, seen)


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):  # as in an interactive Python
        return ""


def _pickled(value: Any) -> str:
    try:
        return blake3(cloudpickle.dumps(value)).hexdigest()
    except Exception:  # whatever an object's own code does when it is asked for its parts
        return uuid4().hex
