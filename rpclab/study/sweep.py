"""Run an experiment over a grid of arguments and seeds, on as many cores or machines as there are; get one tidy table.

    def gap(servers, rule, seed):
        return {"gap": stale_gap(rule, every=100, files=10_000, servers=servers, seed=seed)}

    table = sweep(gap, {"servers": [10, 100], "rule": ["least", "two choices"]}, seeds=range(20), folder="out/sweep")

What was computed lies in `folder`, one small file a point, named by what went in: the function's source and whatever it
closes over, its module's source, the arguments, the version of rpclab. So a sweep that was stopped goes on where it was,
and one whose function was changed starts anew; a change in what the function imports from elsewhere is not seen.
Needs pandas: `pip install "rpclab[study]"`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import cloudpickle
from blake3 import blake3
from tqdm import tqdm

from ..errors import RpclabError, UsageError

if TYPE_CHECKING:
    import pandas

__all__ = ["SweepFailed", "fingerprint", "sweep"]

Rows = list[dict[str, Any]]
_WAITING = 1000  # points handed to the executor at a time: more than any machine has cores, and soon cancelled


class SweepFailed(RpclabError):
    """A point of a sweep failed, or its worker did; its arguments are in the message, the cause is chained."""


def sweep(
    experiment: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]],
    seeds: Iterable[int] = (1,),
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: bool = True,
) -> pandas.DataFrame:
    """A table with a row for each point of the grid and each seed: the arguments, the seed, what the experiment returned.

    `experiment(**arguments, seed=...)` returns a number (column `value`), a dictionary (its keys are columns) or a list of
    such (several rows), of numbers, texts and truth values. Without an `executor` it runs here; with any of
    `concurrent.futures`, or dask's `client.get_executor()`, elsewhere, and the table is the same, in the same order.
    Raises SweepFailed, which names the point; what was computed before stays in `folder`.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ImportError('sweeps need pandas, which is not installed: pip install "rpclab[study]"') from None
    points = _points(grid, seeds)
    store = _Store(pathlib.Path(folder), fingerprint(experiment)) if folder is not None else None
    found: dict[int, Rows] = {}
    if store is not None:
        kept = ((index, store.load(point)) for index, point in enumerate(points))
        found = {index: rows for index, rows in kept if rows is not None}
    missing = [index for index in range(len(points)) if index not in found]
    with tqdm(total=len(points), initial=len(found), unit="point", disable=not progress) as bar:
        for index, rows in _computed(experiment, [(index, points[index]) for index in missing], executor):
            if store is not None:
                store.save(points[index], rows)
            found[index] = rows
            bar.update()
    return pandas.DataFrame([{**points[index], **row} for index in range(len(points)) for row in found[index]])


def _points(grid: Mapping[str, Iterable[Any]], seeds: Iterable[int]) -> list[dict[str, Any]]:
    """The arguments of each run, the last name of the grid changing fastest but for the seed."""
    if "seed" in grid:
        raise UsageError("the grid may not name `seed`: give the seeds as `seeds`")
    values = [list(each) for each in grid.values()]
    combinations = product(*values, list(seeds))
    return [dict(zip((*grid, "seed"), each, strict=True)) for each in combinations]


def _computed(
    experiment: Callable[..., Any], points: Sequence[tuple[int, dict[str, Any]]], executor: Executor | None
) -> Iterator[tuple[int, Rows]]:
    """Each point's number and rows, as they come."""
    if executor is None:
        for index, point in points:
            try:
                yield index, _rows(experiment(**point))
            except Exception as error:
                raise _failed(experiment, point, error) from error
        return
    payload = cloudpickle.dumps(experiment)  # so that a function of a notebook's cell reaches other processes
    for start in range(0, len(points), _WAITING):
        yield from _computed_elsewhere(experiment, payload, points[start : start + _WAITING], executor)


def _computed_elsewhere(
    experiment: Callable[..., Any],
    payload: bytes,
    points: Sequence[tuple[int, dict[str, Any]]],
    executor: Executor,
) -> Iterator[tuple[int, Rows]]:
    waiting: dict[Future[Rows], tuple[int, dict[str, Any]]] = {}
    try:
        for index, point in points:
            waiting[executor.submit(_run, payload, cloudpickle.dumps(point))] = (index, point)
        for future in as_completed(waiting):
            index, point = waiting[future]
            try:
                rows = future.result()
            except Exception as error:
                raise _failed(experiment, point, error) from error
            yield index, rows
    finally:
        for future in waiting:
            future.cancel()


def _run(experiment: bytes, point: bytes) -> Rows:
    """What a worker does."""
    return _rows(cloudpickle.loads(experiment)(**cloudpickle.loads(point)))


def _failed(experiment: Callable[..., Any], point: Mapping[str, Any], error: Exception) -> SweepFailed:
    arguments = ", ".join(f"{name}={value!r}" for name, value in point.items())
    return SweepFailed(f"{_name(experiment)}({arguments}) failed: {type(error).__name__}: {error}")


def _rows(result: Any) -> Rows:
    """What an experiment returned as rows of plain values, the same whether they come from here, a worker or a file."""
    several = result if isinstance(result, list | tuple) else [result]
    rows = [row if isinstance(row, Mapping) else {"value": row} for row in several]
    plain: Rows = json.loads(json.dumps([dict(row) for row in rows], default=_plain))
    return plain


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"an experiment may return numbers, texts and truth values, not a {type(value).__name__}")


def fingerprint(experiment: Callable[..., Any]) -> str:
    """64 hexadecimal digits that change with the function: its name, source, defaults, closure, module and rpclab's version."""
    try:
        parts = [importlib.metadata.version("rpclab")]
    except importlib.metadata.PackageNotFoundError:  # used from its folder, never installed
        parts = [""]
    while isinstance(experiment, functools.partial):
        parts.append(repr((experiment.args, sorted(experiment.keywords.items()))))
        experiment = experiment.func
    parts += [_name(experiment), repr(getattr(experiment, "__defaults__", None))]
    parts.append(repr(getattr(experiment, "__kwdefaults__", None)))
    try:
        parts.append(inspect.getsource(experiment))
        if experiment.__module__ != "__main__":  # a notebook's other cells may change freely
            parts.append(inspect.getsource(inspect.getmodule(experiment) or experiment))
    except (OSError, TypeError):  # no source, as in an interactive Python
        parts.append(cloudpickle.dumps(experiment).hex())
    cells = getattr(experiment, "__closure__", None) or ()
    parts.append(repr([cell.cell_contents for cell in cells]))
    return blake3("\0".join(parts).encode()).hexdigest()


def _name(experiment: Callable[..., Any]) -> str:
    return str(getattr(experiment, "__qualname__", repr(experiment)))


class _Store:
    """The folder with what was computed, a file for each point, complete or not there."""

    def __init__(self, folder: pathlib.Path, experiment: str) -> None:
        self._folder, self._experiment = folder, experiment
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, point: Mapping[str, Any]) -> Rows | None:
        try:
            rows: Rows = json.loads(self._path(point).read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged: it is computed again
            return None
        return rows

    def save(self, point: Mapping[str, Any], rows: Rows) -> None:
        path = self._path(point)
        temporary = path.with_name(f".{uuid4().hex}.part")
        arguments = {name: repr(value) for name, value in point.items()}
        temporary.write_text(json.dumps({"arguments": arguments, "rows": rows}), encoding="utf-8")
        os.replace(temporary, path)

    def _path(self, point: Mapping[str, Any]) -> pathlib.Path:
        named = repr(sorted(point.items()))
        digest = blake3(f"{self._experiment}\0{named}".encode()).hexdigest()
        return self._folder / f"{digest[:40]}.json"
