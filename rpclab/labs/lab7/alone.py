"""Lab 7's checks of the student's part by itself."""

from __future__ import annotations

import contextlib
from typing import Any

from ...errors import RpclabError
from ..lab import Broken, Mine
from ..trial import Trial
from .about import LAB
from .power import Bench, PowerCut

__all__ = ["again_and_again", "answered", "first_put", "kept", "refused", "replaced"]

_CUTS = 24  # power cuts at each moment: one may be kind
_CRASHES = 120


def _name(trial: Trial, other: str = "") -> str:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
    while (name := "a" + "".join(trial.random.choices(letters, k=trial.random.randint(1, 20)))) == other:
        continue
    return name


def _data(trial: Trial, least: int = 1) -> bytes:
    return trial.random.randbytes(trial.random.randint(least, 2000))


def _look(bench: Bench, fault: str = "contents", wrong_names: str = "names") -> None:
    """What is there must be what was put."""
    for name, expected in bench.there.items():
        found = bench.get(name)
        if found != expected:
            told = "KeyError" if found is None else f"{len(found)} bytes"
            more = "" if found is None or len(found) != len(expected) else ", other ones"
            raise Broken(fault, f"{len(expected)} bytes were put; get gives {told}{more}; there lay {bench.lying()}")
    if bench.names() != sorted(bench.there):
        raise Broken(wrong_names, f"put were {sorted(bench.there)}; names() gives {bench.names()}")


@LAB.check("what is put can be read and deleted, also by the next Store on the same folder", points=1)
def kept(mine: Mine, trial: Trial) -> None:
    bench = Bench(mine.Store).start()
    if bench.names():
        raise Broken("names", f"nothing was put yet; names() gives {bench.names()}")
    one, other = _name(trial), _name(trial)
    for name, data in (
        (one, _data(trial)),
        (other, b""),
        (one, _data(trial)),
        (other, trial.random.randbytes(200_000)),
    ):
        bench.put(name, data)
        _look(bench)
    bench.delete(one)
    for name in (one, "never-put"):
        if (found := bench.get(name)) is not None:
            raise Broken("missing", f"{name} is not there; get gives {len(found)} bytes")
    _look(bench)
    bench.put(one, _data(trial))
    bench.start()
    _look(bench, "forgets", "forgets")


@LAB.check("what was acknowledged survives a power cut: a put, another one, a delete", points=3, after=("kept",))
def answered(mine: Mine, trial: Trial) -> None:
    one, other = _name(trial), _name(trial, "a")
    first, second = _data(trial), _data(trial)
    for deeds in range(1, 5):
        for _ in range(_CUTS):
            bench = Bench(mine.Store).start()
            bench.put(one, first)
            if deeds > 1:
                bench.put(one, second)
            if deeds > 2:
                bench.put(other, first)
            if deeds > 3:
                bench.delete(one)
            watched = bench.watched
            bench.lose(trial.random).start()
            if deeds > 3 and bench.get(one) is not None:
                raise Broken("comes-back", f"{one} was deleted and is there again; the last steps: {_last(watched)}")
            if any(bench.get(name) != data for name, data in bench.there.items()):
                fault = "not-durable"
                if watched.unsynced:
                    fault = "no-sync"
                elif watched.open_names:
                    fault = "no-folder-sync"
                raise Broken(fault, f"put had returned, the power failed, and it is lost; the steps: {_last(watched)}")


def _last(watched: Any, count: int = 8) -> str:
    return ", ".join(step.replace("store/", "") for step in watched.steps[-count:]) or "none"


@LAB.check(
    "the power fails before each step of a first put: all of it is there, or nothing", points=3, after=("answered",)
)
def first_put(mine: Mine, trial: Trial) -> None:
    name, other = _name(trial), _name(trial, "b")
    data, before = trial.random.randbytes(1500), _data(trial)

    def prepare(bench: Bench) -> None:
        bench.put(other if other != name else f"{other}-2", before)

    for bench, at in _each_step(mine, trial, prepare, lambda bench: bench.put(name, data)):
        _judge(bench, name, None, data, at)


@LAB.check(
    "the same when it replaces or deletes: the old contents or the new, never neither", points=3, after=("first-put",)
)
def replaced(mine: Mine, trial: Trial) -> None:
    name, old, new = _name(trial), _data(trial), _data(trial)
    for deed, after in ((lambda bench: bench.put(name, new), new), (lambda bench: bench.delete(name), None)):
        for bench, at in _each_step(mine, trial, lambda bench: bench.put(name, old), deed):
            _judge(bench, name, old, after, at)


def _each_step(mine: Mine, trial: Trial, prepare: Any, deed: Any) -> Any:
    """A bench for each power cut: after it, and a new start, which half of the time was cut short as well."""
    bench = Bench(mine.Store).start()
    prepare(bench)
    before = len(bench.watched.steps)
    deed(bench)
    for step in range(before, len(bench.watched.steps)):
        for _ in range(_CUTS):
            bench = Bench(mine.Store).start()
            prepare(bench)
            bench.watched.cut_at = step
            there = dict(bench.there)
            with contextlib.suppress(PowerCut):
                deed(bench)
            cut = bench.watched
            bench.there = there
            bench.lose(trial.random)
            if trial.random.random() < 0.5:
                with contextlib.suppress(PowerCut):
                    bench.start(cut_at=trial.random.randrange(3))
                bench.lose(trial.random)
            yield bench.start(), cut


def _judge(bench: Bench, name: str, old: bytes | None, new: bytes | None, cut: Any) -> None:
    """The old contents, or the new; everything else as before."""
    found = bench.get(name)
    where = f"the power failed after these steps: {_last(cut)}"
    if found is None and None not in (old, new):
        raise Broken("old-gone", f"neither the old contents nor the new are there; {where}")
    if found not in (old, new):
        size = 0 if found is None else len(found)
        fault = "half" if cut.renames else "in-place"
        if cut.renamed_unsynced:
            fault = "rename-before-sync"
        raise Broken(fault, f"{size} bytes are found that were never put; {where}")
    bench.there = {each: data for each, data in bench.there.items() if each != name}
    bench.there |= {} if found is None else {name: found}
    for other, data in bench.there.items():
        if bench.get(other) != data:
            raise Broken("old-gone", f"another name, {other}, has lost what was put; {where}")
    if bench.names() != sorted(bench.there):
        raise Broken("names", f"names() gives {bench.names()}, get has {sorted(bench.there)}; {where}")


@LAB.check("crash after crash, it starts, works on, and leaves nothing behind", points=2, after=("first-put",))
def again_and_again(mine: Mine, trial: Trial) -> None:
    bench, size = Bench(mine.Store).start(), 10_000
    names = [f"{_name(trial)}-{number}" for number in range(3)]
    allowed: dict[str, list[bytes | None]] = {name: [None] for name in names}
    for _ in range(_CRASHES):
        name, data = trial.random.choice(names), trial.random.randbytes(size)
        bench.watched.cut_at = len(bench.watched.steps) + trial.random.randint(1, 7)
        allowed[name].append(data)
        try:
            bench.put(name, data)
            allowed[name] = [data]
        except PowerCut:
            pass
        except RpclabError as error:
            raise Broken("stumbles", f"put after a crash raised {type(error).__name__}: {error.message}") from error
        killed = trial.random.random() < 0.6  # only the process died: the disk goes on, what was not synced shows
        (bench if killed else bench.lose(trial.random)).start()
        found = {each: bench.get(each) for each in names}
        if wrong := [each for each in names if found[each] not in allowed[each]]:
            fault = "not-durable" if len(allowed[wrong[0]]) == 1 else "half" if found[wrong[0]] else "old-gone"
            raise Broken(fault, f"{wrong[0]} has lost what was put; there lay {bench.lying()}")
        bench.there = {each: kept for each, kept in found.items() if kept is not None}
        _look(bench)
        if not killed:
            allowed = {each: [kept] for each, kept in found.items()}
    needed = sum(map(len, bench.there.values()))
    if bench.disk.used > 2 * needed + size:
        seen = f"{needed:,} bytes are stored and {bench.disk.used:,} taken after {_CRASHES} crashes; there lay {bench.lying()}"
        raise Broken("leftovers", seen)


@LAB.check("a disk that is full, or fails, is not kept quiet, and harms nothing", points=3, after=("answered",))
def refused(mine: Mine, trial: Trial) -> None:
    name, old, new = _name(trial), _data(trial), _data(trial)
    for delete in (False, True):
        step = 0
        while True:
            bench = Bench(mine.Store).start()
            bench.put(name, old)
            step += 1
            bench.watched.refuse_at = len(bench.watched.steps) + step
            if not _refuse(bench, name, old, new, delete):
                break
            if not delete:
                _works_on(bench, trial, name, new)
    _full(mine, trial)


def _refuse(bench: Bench, name: str, old: bytes, new: bytes, delete: bool) -> bool:
    """Do it while one step is refused; whether one was."""
    try:
        bench.delete(name) if delete else bench.put(name, new)
    except RpclabError:
        found = bench.get(name)
        at = bench.watched.refused
        if found not in ((old, None) if delete else (old, new)):
            raise Broken("refused-harms", f"{at} was refused; get gives neither the old contents nor the new") from None
        return True
    if bench.watched.refused in ("write", "sync", "create", "append", "rename", "sync folder") and not delete:
        raise Broken(
            "swallows", f"{bench.watched.refused} was refused, and put returned; steps: {_last(bench.watched)}"
        )
    return bool(bench.watched.refused)


def _works_on(bench: Bench, trial: Trial, name: str, new: bytes) -> None:
    """After that, a put of the same name works, and is durable."""
    at = bench.watched.refused
    try:
        bench.put(name, new)
    except RpclabError as error:
        raise Broken("stumbles", f"{at} was refused, and so was the next put: {error.message}") from error
    bench.lose(trial.random).start()
    _look(bench, "not-durable")


def _full(mine: Mine, trial: Trial) -> None:
    """A disk that is really full: what did not fit makes room again."""
    bench = Bench(mine.Store, capacity_bytes=60_000).start()
    bench.put("small", _data(trial))
    for _ in range(3):
        try:
            bench.put("large", trial.random.randbytes(100_000))
        except RpclabError:
            bench.there.pop("large", None)
        else:
            raise Broken("swallows", "100,000 bytes were put onto a disk of 60,000, and put returned")
    try:
        bench.put("other", trial.random.randbytes(5000))
    except RpclabError as error:
        seen = f"a large put failed; then a small one did not fit either: {error.message}; there lay {bench.lying()}"
        raise Broken("leftovers", seen) from error
    _look(bench, "refused-harms")
