"""Lab 7: a crash-safe store. The student writes what a server keeps its files in."""

from __future__ import annotations

import contextlib
from typing import Any

from ..errors import RpclabError
from .lab import Broken, Hint, Lab, Mine
from .power import Bench, PowerCut
from .scenes import back_up, blamed, restart_everything, restore_all
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab7",
    "What a power cut leaves: a crash-safe store",
    needs={
        "Store": "class with __init__(self, disk, folder), put(self, name, data), get(self, name), delete(self, name) and "
        "names(self)"
    },
    ours=("rpclab.server", "rpclab.study"),
    minutes=110,
    lines=45,
    faults={
        "contents": Hint(
            "Is what you read what was written, to the last byte?",
            "Look at get: how many bytes does one read give, and what does it give back?",
            "get gives back other bytes than were put, without any crash.",
        ),
        "missing": Hint(
            "What does get do for a name that there is not?",
            "Look at what the disk raises, and at what you raise.",
            "get of a name that was not put, or was deleted, does not raise KeyError.",
        ),
        "names": Hint(
            "Which names have been put, and not deleted?",
            "Compare what names gives back with what lies in the folder. Is each file there a name that was put?",
            "names gives back too many names, or too few.",
        ),
        "forgets": Hint(
            "The process ends, and another Store is made on the same folder. What does it know?",
            "Look at what you keep in memory only.",
            "What was put is not found by the next Store on the same folder, though there was no crash.",
        ),
        "no-sync": Hint(
            "The disk has a memory of its own. When does what you write really reach it?",
            "Look at which files were written since the last sync.",
            "put returns while the contents are not synced: a power cut takes what was acknowledged.",
        ),
        "no-folder-sync": Hint(
            "The contents are safe. Is their name?",
            "A folder is a file too: which of your steps changes it?",
            "put returns while the name is not durable: the folder was not synced after its last change.",
        ),
        "not-durable": Hint(
            "What has to be on the disk when put returns?",
            "Let the power fail just after put, and follow what your __init__ does with what it finds.",
            "What was acknowledged is not found after a power cut, though everything had been synced: it is lost at the start.",
        ),
        "comes-back": Hint(
            "Something was deleted, then the power failed. What lies there?",
            "Look at what delete does last.",
            "A name that was deleted is there again after a power cut.",
        ),
        "in-place": Hint(
            "The power fails in the middle of a write. Which name do the halves lie under?",
            "Look at the name of the file that you write into.",
            "The file has its final name while it is still written: half of it is taken for all.",
        ),
        "rename-before-sync": Hint(
            "You give the file its name. What may have reached the disk by then: the contents, the name, or both?",
            "Look at the order of the steps.",
            "The file gets its final name before its contents are synced: the name may survive without them.",
        ),
        "half": Hint(
            "How do you know, at the start, that what lies there is whole?",
            "Let the power fail before each step, and look at what the next Store takes for whole.",
            "After a power cut something is found that was never put: a part, or a mixture.",
        ),
        "old-gone": Hint(
            "Between the old contents and the new ones: is there a moment without either?",
            "Look at what you remove or overwrite, and when.",
            "The old contents are gone before the new ones are there for good.",
        ),
        "cannot-start": Hint(
            "What may your __init__ find after a power cut?",
            "The words of the exception are beside 'seen', and what lay in the folder.",
            "After a power cut the store does not start any more.",
        ),
        "stumbles": Hint(
            "A put was cut short. What does the next one meet?",
            "Look at the names of the files that you create: may one be there already?",
            "Something that was left over makes a later put or delete fail.",
        ),
        "leftovers": Hint(
            "After a hundred crashes, how full is the disk?",
            "Look at what lies in the folder that no name needs, and when it is removed.",
            "What crashes, or puts that failed, have left behind stays for ever, and fills the disk.",
        ),
        "swallows": Hint(
            "The disk has refused. Who has to know?",
            "Look for except.",
            "The disk refused, and put or delete returned as if all were well.",
        ),
        "sync-again": Hint(
            "A sync has failed. What does the system still know of what was to be written?",
            "Look at what you do after SyncFailed.",
            "sync is called again on a file where it had failed: the second one says yes, though the contents are lost.",
        ),
        "refused-harms": Hint(
            "put has failed. What should get give now?",
            "Look at what was already changed when the disk refused.",
            "A put that failed has taken something away that was there before.",
        ),
        "never-ends": Hint(
            "Is there a loop that tries again?",
            "Look at when it ends.",
            "One operation does more and more steps, and never ends.",
        ),
        "cluster": Hint(
            "What does a server have after its power failed?",
            "Run this check alone; what the server said is beside 'seen'.",
            "In a cluster, with your store in every server, files are lost or refused.",
        ),
    },
)

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


@LAB.check("crash after crash, it starts, works on, and leaves nothing behind", points=2, after=("answered",))
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


@LAB.check("a simulated cluster keeps its files in it, with power cuts at every server", points=3, after=("replaced",))
def simulated(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 3, "replicas": 2, "store": mine.Store, "clients": 1}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files: dict[str, bytes] = {}
        for _ in range(2):
            files |= back_up(cluster, trial, 4)
            for server in sorted(cluster.servers):
                cluster.cut_power(server)
            for server in sorted(cluster.servers):
                cluster.restart(server)
            restore_all(cluster, trial, files, "cluster")
        restart_everything(cluster)
        restore_all(cluster, trial, files, "cluster")


@LAB.check("so does a real one, with every node killed or restarted", points=2, after=("kept",))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 2, "replicas": 2, "store": mine.Store, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        for server in sorted(cluster.servers):
            cluster.kill(server)
            cluster.restart(server)
        files |= back_up(cluster, trial, 3)
        restart_everything(cluster)
        restore_all(cluster, trial, files, "cluster")
