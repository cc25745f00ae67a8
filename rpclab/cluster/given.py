"""What a person gives to a cluster's verbs, looked at before anything happens."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

from ..errors import UsageError

__all__ = ["bytes_of", "functions", "group_of", "number", "seconds", "share", "whole"]


def number(name: str, value: Any, what: str, least: float = 0.0, most: float = math.inf) -> float:
    """A number within these bounds, and no infinite one."""
    try:
        found = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        found = math.inf
    if not (math.isfinite(found) and least <= found <= most):
        raise UsageError(f"{name}={value!r:.40}: it is {what}")
    return found


def seconds(name: str, value: Any) -> float:
    return number(name, value, "a number of seconds, 0 or more")


def share(name: str, value: Any) -> float:
    return number(name, value, "a share, a number from 0 to 1", most=1.0)


def whole(name: str, value: Any, what: str, least: int = 0) -> int:
    """A whole number, numpy's too."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if found < least:
        raise UsageError(f"{name}={value!r}: it is {what}")
    return found


def bytes_of(name: str, contents: Any) -> bytes:
    """What a file is to hold."""
    if not isinstance(contents, bytes | bytearray | memoryview):
        more = ", such as text.encode()" if isinstance(contents, str) else ""
        raise UsageError(f"{name!r} is to hold {contents!r:.40}: give bytes{more}")
    return bytes(contents)


def group_of(group: Any) -> list[Any]:
    """A node's name, or several."""
    if isinstance(group, str):
        return [group]
    if not isinstance(group, Iterable):
        raise UsageError(f"a group is a node's name, or a list of names, not {group!r}")
    return list(group)


def functions(given: Iterable[Any]) -> None:
    """What is to be run: functions that do something when they are called."""
    for each in given:
        if not callable(each):
            raise UsageError(f"run takes functions, not {each!r}: to let time pass, say cluster.sleep(seconds)")
        _check_plain(each)


def _check_plain(function: Callable[..., Any]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        kind = "a generator (it says yield)" if inspect.isgeneratorfunction(function) else "async"
        raise UsageError(
            f"{getattr(function, '__name__', function)} is {kind}: run takes plain functions; where it is to wait, it says "
            "cluster.sleep(seconds)"
        )
