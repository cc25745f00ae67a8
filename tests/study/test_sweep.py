"""Sweeps: the same table wherever the points are computed, and nothing computed twice."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from pandas.testing import assert_frame_equal

from rpclab.errors import UsageError
from rpclab.study.experiments_balance import stale_gap
from rpclab.study.fingerprint import fingerprint
from rpclab.study.sweep import SweepFailed, sweep

GRID = {"rule": ["least", "two choices"], "every": [10, 50]}


@pytest.fixture(autouse=True)
def swept_up() -> Iterator[None]:
    """Dask leaves sockets of workers that were killed to the garbage: they are collected here, not in somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def gap(rule: str, every: int, seed: int) -> dict[str, Any]:
    import numpy as np

    peak = stale_gap(rule, every, 500, seed=seed)
    return {"peak": peak, "high": np.bool_(peak > 10), "third": np.float64(1 / 3)}


def one_core() -> pandas.DataFrame:
    return sweep(gap, GRID, seeds=range(3), progress=False)


def counted(log: Path) -> Callable[..., float]:
    def each(n: int, seed: int) -> float:
        with log.open("a") as file:
            file.write(f"{n} {seed}\n")
        return n + seed / 10

    return each


def test_a_table_has_a_row_for_each_point_in_the_order_of_the_grid() -> None:
    table = one_core()
    assert list(table.columns) == ["rule", "every", "seed", "peak", "high", "third"]
    assert list(zip(table.rule, table.every, table.seed, strict=True)) == [
        (rule, every, seed) for rule in GRID["rule"] for every in GRID["every"] for seed in range(3)
    ]
    assert table.peak[0] == stale_gap("least", 10, 500, seed=0)
    assert table.high.dtype == bool and (table.third == 1 / 3).all()


def test_a_result_that_is_named_as_an_argument_is_refused_unless_it_is_that_argument() -> None:
    kept = sweep(lambda n, seed: {"n": n, "twice": 2 * n}, {"n": [numpy.int64(3)]}, progress=False)
    assert kept.to_dict("records") == [{"n": 3, "seed": 1, "twice": 6}]
    with pytest.raises(UsageError, match="returned n=6, which is an argument"):
        sweep(lambda n, seed: {"n": 2 * n}, {"n": [3]}, progress=False)


def test_a_number_and_a_list_of_rows_are_results_too() -> None:
    def several(n: int, seed: int) -> list[dict[str, int]]:
        return [{"step": step, "load": n * step} for step in range(n)]

    assert sweep(lambda n, seed: n * seed, {"n": [2, 3]}, [5], progress=False).value.tolist() == [10, 15]
    assert sweep(several, {"n": [1, 2]}, [1], progress=False).values.tolist() == [
        [1, 1, 0, 0],
        [2, 1, 0, 0],
        [2, 1, 1, 2],
    ]


@pytest.mark.parametrize(
    "executor",
    [lambda: ThreadPoolExecutor(3), lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn"))],
    ids=["threads", "processes"],
)
def test_any_executor_gives_the_same_table(executor: Callable[[], Executor]) -> None:
    with executor() as pool:
        assert_frame_equal(sweep(gap, GRID, range(3), pool, progress=False), one_core())


def test_what_was_computed_is_not_computed_again(tmp_path: Path) -> None:
    each = counted(tmp_path / "log")
    first = sweep(each, {"n": [1, 2]}, range(2), folder=tmp_path / "kept", progress=False)
    more = sweep(each, {"n": [1, 2, 3]}, range(2), folder=tmp_path / "kept", progress=False)
    assert (tmp_path / "log").read_text().split("\n")[:-1] == ["1 0", "1 1", "2 0", "2 1", "3 0", "3 1"]
    assert_frame_equal(more[:4], first)
    assert_frame_equal(more, sweep(each, {"n": [1, 2, 3]}, range(2), progress=False))


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    log, stop = tmp_path / "log", tmp_path / "stop"

    def each(n: int, seed: int) -> int:
        if n == 3 and stop.exists():
            raise KeyboardInterrupt
        with log.open("a") as file:
            file.write(f"{n}\n")
        return n

    stop.touch()
    with pytest.raises(KeyboardInterrupt):
        sweep(each, {"n": range(5)}, folder=tmp_path / "kept", progress=False)
    assert log.read_text().split() == ["0", "1", "2"]
    stop.unlink()
    table = sweep(each, {"n": range(5)}, folder=tmp_path / "kept", progress=False)
    assert table.value.tolist() == [0, 1, 2, 3, 4]
    assert log.read_text().split() == ["0", "1", "2", "3", "4"]


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    each = counted(tmp_path / "log")
    sweep(each, {"n": [1, 2]}, folder=tmp_path / "kept", progress=False)
    damages = ['{"rows": [', '{"rows": 3}', '{"rows": [3]}', '{"rows": "ab"}', "[]", ""]
    for damage in damages:
        sorted((tmp_path / "kept").iterdir())[0].write_text(damage)
        assert sweep(each, {"n": [1, 2]}, folder=tmp_path / "kept", progress=False).value.tolist() == [1.1, 2.1]
    assert len((tmp_path / "log").read_text().split()) == 2 * (2 + len(damages))


def test_a_changed_function_is_another_one() -> None:
    def double(n: int, seed: int) -> int:
        return 2 * n

    first = fingerprint(double)
    assert first == fingerprint(double)

    def double(n: int, seed: int) -> int:  # type: ignore[no-redef]
        return 2 * n + 0

    assert fingerprint(double) != first
    adders = [lambda n, seed, more=more: n + more for more in (1, 2)]
    assert fingerprint(adders[0]) != fingerprint(adders[1])

    def closing(held: int) -> Callable[..., int]:
        return lambda n, seed: n + held

    closures = [closing(1), closing(2)]
    assert fingerprint(closures[0]) != fingerprint(closures[1])
    assert fingerprint(functools.partial(double, n=1)) != fingerprint(functools.partial(double, n=2))


def test_a_result_that_cannot_be_kept_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    given: dict[str, Any] = {"experiment": lambda n, seed: n, "grid": {"n": [1]}, "progress": False}
    sweep(**given, folder=tmp_path / "first")
    (kept,) = (tmp_path / "first").iterdir()
    (tmp_path / "kept" / kept.name).mkdir(parents=True)
    with pytest.raises(SweepFailed, match=r"a result cannot be kept as .*: .*; what was kept before is there"):
        sweep(**given, folder=tmp_path / "kept")
    assert [each.name for each in (tmp_path / "kept").iterdir()] == [kept.name]


def test_functions_in_one_line_and_values_that_look_alike_do_not_get_one_anothers_results(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"folder": tmp_path / "kept", "progress": False}
    for _ in range(2):
        for each, value in ((lambda n, seed: n, 5), (lambda n, seed: n + 1, 6)):
            assert sweep(each, {"n": [5]}, **kept).value.tolist() == [value]

        def middle(numbers: Any, seed: int) -> int:
            return int(numbers[2500])

        arrays = [numpy.zeros(5000, int), numpy.zeros(5000, int)]
        arrays[1][2500] = 7
        assert repr(arrays[0]) == repr(arrays[1])
        assert sweep(middle, {"numbers": arrays}, **kept).value.tolist() == [0, 7]


@pytest.mark.parametrize("given", ["argument", "closure", "partial"])
def test_a_function_is_known_by_what_it_does_and_not_by_where_it_lies(tmp_path: Path, given: str) -> None:
    """As in a notebook, where a cell that is run again makes its functions anew, often where the old ones lay."""

    def rules(more: int) -> Callable[[int], int]:
        return lambda n: n + more

    def sweep_once(more: int) -> int:
        rule = rules(more)
        experiment: Callable[..., int] = {
            "argument": lambda rule, seed: rule(1),
            "closure": lambda seed: rule(1),
            "partial": functools.partial(lambda rule, seed: rule(1), rule),
        }[given]
        grid = {"rule": [rule]} if given == "argument" else {}
        return int(sweep(experiment, grid, folder=tmp_path, progress=False).value[0])

    assert [sweep_once(more) for more in (1, 2, 3, 1, 2, 3)] == [2, 3, 4, 2, 3, 4]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_scripts_function_changes_with_what_it_uses_of_the_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"

    def run(factor: str, other: str) -> list[str]:
        script.write_text(
            "import sys\n"
            "from rpclab.study.sweep import sweep\n"
            f"other = {other}\n"
            f"def times(n):\n    return {factor} * n\n"
            "def experiment(n, seed):\n    print('computed', file=sys.stderr)\n    return times(n)\n"
            "print(sweep(experiment, {'n': [2]}, folder='kept', progress=False).value[0])\n",
            encoding="utf-8",
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, script.name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        return [done.stdout.strip(), done.stderr.strip()]

    assert run("3", "0") == ["6", "computed"]
    assert run("3", "1") == ["6", ""]  # in another process, and the rest of the script is another
    assert run("4", "1") == ["8", "computed"]


def test_a_point_that_fails_is_named_and_the_others_stay(tmp_path: Path) -> None:
    def each(n: int, seed: int) -> float:
        return 1 / (2 - n)

    for executor in (None, ThreadPoolExecutor(1)):
        with pytest.raises(SweepFailed, match=r"each\(n=2, seed=7\) failed: ZeroDivisionError"):
            sweep(each, {"n": [0, 1, 2]}, [7], executor, folder=tmp_path / "kept", progress=False)
        assert len(list((tmp_path / "kept").iterdir())) == 2
        if executor:
            executor.shutdown()


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(SweepFailed, match="may return numbers, texts and truth values, not a set"):
        sweep(lambda seed: {"a": {1}}, {}, progress=False)
    with pytest.raises(SweepFailed, match="may return numbers, texts and truth values, not a ndarray"):
        sweep(lambda seed: numpy.zeros(2), {}, progress=False)
    with pytest.raises(UsageError, match="give the seeds as `seeds`"):
        sweep(gap, {"seed": [1]}, progress=False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grid": {"n": 3}}, "n=3: give a list of values"),
        ({"grid": {"n": "abc"}}, "n='abc': give a list"),
        ({"grid": [("n", [1])]}, "the grid is a dictionary"),
        ({"seeds": 3}, "seeds=3: give a list"),
        ({"experiment": 3}, "an experiment is a function"),
        ({"executor": ThreadPoolExecutor}, "an executor is one of concurrent.futures"),
        ({"folder": __file__}, "cannot be the folder of a sweep: .*name one that can be written"),
    ],
    ids=lambda each: "" if isinstance(each, dict) else each[:20],
)
def test_what_cannot_be_swept_is_said_before_anything_is_computed(wrong: dict[str, Any], said: str) -> None:
    given = {"experiment": lambda n, seed: pytest.fail("computed"), "grid": {"n": [1]}, "progress": False, **wrong}
    with pytest.raises(UsageError, match=said):
        sweep(**given)


def test_an_executor_that_cannot_is_said() -> None:
    lock = threading.Lock()
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(UsageError, match=r"cannot be sent to an executor.*leave the executor"),
    ):
        sweep(lambda n, seed: lock.locked(), {"n": [1]}, executor=pool, progress=False)
    with pytest.raises(SweepFailed, match=r"takes no more work.*make a new one"):
        sweep(gap, GRID, executor=pool, progress=False)


def test_a_bar_shows_the_progress(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(lambda n, seed: n, {"n": range(4)})
    assert "4/4" in capsys.readouterr().err


# Dask: real worker processes on this machine.

without_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason='dask is not installed: pip install "rpclab[dask]"'
)


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other people's packages warn of when they are imported
        from distributed import Client, LocalCluster
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def slow(marks: str, n: int, seed: int) -> dict[str, Any]:
    Path(marks, f"{os.getpid()}-{n}-{seed}").touch()
    time.sleep(0.05)  # long enough that a worker is in the middle of something whenever it is killed
    return {"value": stale_gap("random", 10, 100 * n, seed=seed)}


@without_dask
def test_dasks_table_is_that_of_one_core(dask_client: Any, tmp_path: Path) -> None:
    table = sweep(gap, GRID, range(3), dask_client.get_executor(), folder=tmp_path, progress=False)
    assert_frame_equal(table, one_core())
    assert len(dask_client.scheduler_info()["workers"]) == 3


@without_dask
def test_a_sweep_survives_a_worker_killed_in_the_middle(dask_client: Any, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    experiment = functools.partial(slow, str(marks))
    grid, seeds = {"n": [1, 2, 3, 4]}, range(15)
    victim = next(iter(dask_client.run(os.getpid).values()))
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if len(list(marks.glob(f"{victim}-*"))) >= 3:
                os.kill(victim, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
                killed.append(len(list(marks.iterdir())))
                return
            time.sleep(0.005)

    killing = threading.Thread(target=kill, name="kills-a-worker", daemon=True)
    killing.start()
    table = sweep(experiment, grid, seeds, dask_client.get_executor(), progress=False)
    killing.join()
    assert killed and killed[0] < 50  # of 60: it was in the middle
    assert victim not in dask_client.run(os.getpid).values()
    assert_frame_equal(table, sweep(experiment, grid, seeds, progress=False))
