"""Run an experiment over a grid of arguments and seeds, on as many cores or machines as there are; get one tidy table.

    def gap(servers, rule, seed):
        return {"gap": stale_gap(rule, every=100, files=10_000, servers=servers, seed=seed)}

    table = sweep(gap, {"servers": [10, 100], "rule": ["least", "two choices"]}, seeds=range(20), folder="out/sweep")

What was computed lies in `folder`, one small file a point, named by what went in (fingerprint.py): the function and whatever it
closes over, its module's source or what it uses of a notebook, the arguments, the version of rpclab. So a sweep that was stopped
goes on where it was, and one whose function was changed starts anew; a change in what is imported from elsewhere is not seen.
Needs pandas: `pip install "rpclab[study]"`.
"""

from __future__ import annotations

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
from .fingerprint import fingerprint, told

if TYPE_CHECKING:
    import pandas

__all__ = ["SweepFailed", "sweep"]

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
    Errors: UsageError; SweepFailed, which names the point; what was computed before stays in `folder`.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ImportError('sweeps need pandas, which is not installed: pip install "rpclab[study]"') from None
    if not callable(experiment):
        raise UsageError(f"an experiment is a function that takes the grid's names and seed, not {experiment!r:.80}")
    if executor is not None and (isinstance(executor, type) or not hasattr(executor, "submit")):
        raise UsageError(
            f"an executor is one of concurrent.futures, or dask's client.get_executor(), not {executor!r:.80}"
        )
    points = _points(grid, seeds)
    store = _Store(folder, fingerprint(experiment)) if folder is not None else None
    found: dict[int, Rows] = {}
    if store is not None:
        kept = ((index, store.load(point)) for index, point in enumerate(points))
        found = {index: rows for index, rows in kept if rows is not None}
    missing = [index for index in range(len(points)) if index not in found]
    with tqdm(total=len(points), initial=len(found), unit="point", disable=not progress) as bar:
        for index, rows in _computed(experiment, [(index, points[index]) for index in missing], executor):
            found[index] = [_row(points[index], row) for row in rows]
            if store is not None:
                store.save(points[index], rows)
            bar.update()
    return pandas.DataFrame([_row(points[index], row) for index in range(len(points)) for row in found[index]])


def _row(point: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """The arguments and what came of them, side by side."""
    for name in point.keys() & row.keys():
        if str(row[name]) != str(point[name]):
            raise UsageError(
                f"the experiment returned {name}={row[name]!r:.80}, which is an argument: name it otherwise"
            )
    return {**point, **row, **point}


def _points(grid: Mapping[str, Iterable[Any]], seeds: Iterable[int]) -> list[dict[str, Any]]:
    """The arguments of each run, the last name of the grid changing fastest but for the seed."""
    if not isinstance(grid, Mapping) or not all(isinstance(name, str) for name in grid):
        raise UsageError(f"the grid is a dictionary of the arguments' names, each with its values, not {grid!r:.80}")
    if "seed" in grid:
        raise UsageError("the grid may not name `seed`: give the seeds as `seeds`")
    values = [_values(name, each) for name, each in grid.items()]
    combinations = product(*values, _values("seeds", seeds))
    return [dict(zip((*grid, "seed"), each, strict=True)) for each in combinations]


def _values(name: str, values: Iterable[Any]) -> list[Any]:
    try:
        if not isinstance(values, str | bytes):
            return list(values)
    except TypeError:  # said below
        pass
    raise UsageError(f"{name}={values!r:.80}: give a list of values, also for a single one")


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
    payload = _sent(experiment, _name(experiment))  # a function of a notebook's cell reaches other processes too
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
            waiting[_submitted(executor, payload, _sent(point, _call(experiment, point)))] = (index, point)
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


def _sent(value: Any, what: str) -> bytes:
    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:  # whatever an object's own code does when it is asked for its parts
        raise UsageError(
            f"{what} cannot be sent to an executor: {error}; leave the executor out to run it here"
        ) from error


def _submitted(executor: Executor, payload: bytes, point: bytes) -> Future[Rows]:
    try:
        return executor.submit(_run, payload, point)
    except RuntimeError as error:  # it was shut down, or its workers died
        raise SweepFailed(f"the executor takes no more work: {error}; make a new one, and go on") from error


def _run(experiment: bytes, point: bytes) -> Rows:
    """What a worker does."""
    return _rows(cloudpickle.loads(experiment)(**cloudpickle.loads(point)))


def _failed(experiment: Callable[..., Any], point: Mapping[str, Any], error: Exception) -> SweepFailed:
    return SweepFailed(f"{_call(experiment, point)} failed: {type(error).__name__}: {error}")


def _call(experiment: Callable[..., Any], point: Mapping[str, Any]) -> str:
    return f"{_name(experiment)}({', '.join(f'{name}={value!r}' for name, value in point.items())})"


def _rows(result: Any) -> Rows:
    """What an experiment returned as rows of plain values, the same whether they come from here, a worker or a file."""
    several = result if isinstance(result, list | tuple) else [result]
    rows = [row if isinstance(row, Mapping) else {"value": row} for row in several]
    plain: Rows = json.loads(json.dumps([dict(row) for row in rows], default=_plain))
    return plain


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        return value.item()
    raise TypeError(f"an experiment may return numbers, texts and truth values, not a {type(value).__name__}")


def _name(experiment: Callable[..., Any]) -> str:
    return str(getattr(experiment, "__qualname__", repr(experiment)))


class _Store:
    """The folder with what was computed, a file for each point, complete or not there."""

    def __init__(self, folder: str | os.PathLike[str], experiment: str) -> None:
        try:
            self._folder = pathlib.Path(folder)
            self._folder.mkdir(parents=True, exist_ok=True)
        except (OSError, TypeError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(
                f"{folder!r} cannot be the folder of a sweep: {why}; name one that can be written"
            ) from None
        self._experiment = experiment

    def load(self, point: Mapping[str, Any]) -> Rows | None:
        try:
            rows = json.loads(self.path(point).read_text(encoding="utf-8"))["rows"]
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged: it is computed again
            return None
        return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None

    def save(self, point: Mapping[str, Any], rows: Rows) -> None:
        path = self.path(point)
        temporary = path.with_name(f".{uuid4().hex}.part")
        arguments = {name: repr(value) for name, value in point.items()}
        try:
            temporary.write_text(json.dumps({"arguments": arguments, "rows": rows}), encoding="utf-8")
            os.replace(temporary, path)
        except OSError as error:
            raise SweepFailed(
                f"a result cannot be kept as {path}: {error.strerror}; what was kept before is there"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def path(self, point: Mapping[str, Any]) -> pathlib.Path:
        digest = blake3(
            f"{self._experiment}\0{told(sorted(point.items()))}".encode("utf-8", "surrogatepass")
        ).hexdigest()
        return self._folder / f"{digest[:40]}.json"
