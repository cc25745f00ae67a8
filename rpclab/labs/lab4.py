"""Lab 4: placement. The student writes the function by which the manager chooses a server for each copy of a file."""

from __future__ import annotations

import pickle
import random as chance
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import PlacementError, error_text
from ..manager.placement import Request, decide
from ..records import ServerRecord
from .lab import Broken, Hint, Lab, Mine
from .reach import modules_of
from .scenes import back_up, blamed, restore_all
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab4",
    "Placement: which server gets the file?",
    needs={"choose": "function choose(servers, request, random) -> one of the servers"},
    ours=("rpclab.manager", "rpclab.study"),
    minutes=60,
    lines=10,
    faults={
        "none-of-them": Hint(
            "What does choose give back, and is it one of the servers it was given?",
            "Look at every return of your function, also at the end of it.",
            "What comes back is not one of the servers (nor its address, nor its node's name).",
        ),
        "one-server": Hint(
            "What if there is only one server to choose from?",
            "Look for an index, a sample or a second element that then is not there.",
            "With a single server your function fails.",
        ),
        "fullest": Hint(
            "Is it the server with the most bytes that needs more?",
            "Read your comparison once more.",
            "The fullest server is chosen where the emptiest should be.",
        ),
        "counts-files": Hint(
            "Are a thousand files of one byte more than one file of a gigabyte?",
            "Look at which field of a server you compare.",
            "Servers are compared by the number of their files, not by their bytes.",
        ),
        "ignores-stored": Hint(
            "A server holds a terabyte, and nothing more is promised to it. Is it empty?",
            "Look at which fields of a server you compare.",
            "Only the promised bytes are compared: what is stored already does not count.",
        ),
        "subtracts": Hint(
            "Does a promise make a server fuller, or emptier?",
            "Look at the sign in front of reserved_bytes.",
            "Promised bytes are taken off the stored ones, though they come on top of them.",
        ),
        "not-all": Hint(
            "Could the emptiest server be one that you did not look at?",
            "Look for a sample, a slice or a loop that ends early.",
            "Only some of the servers are compared, so the emptiest one is often not among them.",
        ),
        "no-quota": Hint(
            "What is quota_bytes of a server that has no limit?",
            "The notebook says what quota_bytes may be, beside a number.",
            "quota_bytes is None for a server without a limit, and you compute with it.",
        ),
        "always-the-same": Hint(
            "Does the answer depend on how much each server holds?",
            "Try it with two servers, and change which of them holds more.",
            "The choice does not look at the bytes: it goes by place, name or chance.",
        ),
        "ignores-reserved": Hint(
            "Ten files are on their way to the emptiest server. Where should the eleventh go?",
            "A server has stored_bytes, and it has been promised more: look at its other fields.",
            "Bytes that are promised and not yet reported do not count: whoever comes meanwhile is sent to the same server.",
        ),
        "own-chance": Hint(
            "Could somebody repeat your run exactly?",
            "Look for chance or time that does not come from the argument `random`.",
            "Twice the same arguments and the same seed gave two answers: chance or a clock of your own decides.",
        ),
        "remembers": Hint(
            "The manager is killed and started again. What does your function know then?",
            "Look for global variables, default arguments and attributes that your function changes.",
            "The answer depends on calls before it: what is kept in memory is gone after a restart.",
        ),
        "changes-its-arguments": Hint(
            "Whose list of servers is it?",
            "Look for sort, pop, remove, append on what you were given.",
            "It changes the list of servers that it was given to look at.",
        ),
        "slow": Hint(
            "How many steps does one choice take when there are n servers?",
            "Look for a loop within a loop, and for copies made in a loop.",
            "With 1,000 servers one choice takes many times as long as looking at each server once.",
        ),
        "gap": Hint(
            "What did your function know at the moment of each decision?",
            "Look at the last decisions in the event log: `cluster.history.of('placed')`.",
            "In the end the fullest server is ahead of the emptiest by more than the largest file.",
        ),
        "cluster": Hint(
            "Does your function do in the manager's process what it does here?",
            "Read what the manager said: the check's output holds it.",
            "With your function a cluster could not place files.",
        ),
    },
)

_OF_CHANCE = {"random", "time", "secrets", "os", "posix", "nt", "uuid", "datetime", "numpy"}
_Choose = Callable[[Sequence[ServerRecord], Request, chance.Random], Any]


def _servers(random: chance.Random, count: int, *, reserved: bool = True) -> list[ServerRecord]:
    return [
        ServerRecord(
            f"server{number}",
            ("127.0.0.1", 65000 + number),
            random.randrange(1_000_000),
            random.randrange(1_000_000) if reserved else 0,
            None,
            random.randrange(1000),
        )
        for number in range(1, count + 1)
    ]


def _decide(choose: _Choose, servers: Sequence[ServerRecord], random: chance.Random, number: int = 0) -> ServerRecord:
    request = Request("client1/photo.png", random.randrange(1_000_000), number)
    try:
        return decide(choose, servers, request, random)
    except PlacementError as error:
        if isinstance(error.__cause__, TypeError) and "NoneType" in str(error.__cause__):
            raise Broken("no-quota", f"no server has a quota: {error_text(error.__cause__)}") from error
        if error.__cause__ is not None:
            raise error.__cause__ from None
        raise Broken("none-of-them", error_text(error)) from None


def _load(server: ServerRecord) -> int:
    return server.stored_bytes + server.reserved_bytes


@LAB.check("the answer is one of the servers, also when there is only one", points=1)
def one_of_them(mine: Mine, trial: Trial) -> None:
    for count in (3, 2, 10):
        _decide(mine.choose, _servers(trial.random, count), trial.random)
    try:
        _decide(mine.choose, _servers(trial.random, 1), trial.random)
    except Broken:
        raise
    except Exception as error:
        raise Broken("one-server", f"{type(error).__name__}: {error_text(error)}") from error


@LAB.check(
    "the server with the fewest bytes is chosen, stored and promised ones together", points=3, after=("one-of-them",)
)
def fewest(mine: Mine, trial: Trial) -> None:
    wrong = [case for case in (_case(mine.choose, trial) for _ in range(60)) if case is not None]
    if not wrong:
        return
    faults = {name: sum(name in case[0] for case in wrong) for name in _EXPLAINED}
    best = max(faults, key=lambda name: faults[name])
    fault = best if faults[best] == len(wrong) > 10 else "always-the-same"
    if fault != best and not faults["of-all-fullest"]:
        fault = "not-all"  # chance would have met the fullest one in a dozen of 60 cases
    raise Broken(fault, f"in {len(wrong)} of 60 cases; {wrong[0][1]}")


_EXPLAINED = ("fullest", "counts-files", "ignores-reserved", "ignores-stored", "subtracts", "of-all-fullest")


def _case(choose: _Choose, trial: Trial) -> tuple[set[str], str] | None:
    """What explains a wrong choice, and how it looked; None for a right one."""
    servers = _servers(trial.random, trial.random.randrange(3, 8))
    chosen = _decide(choose, servers, trial.random)
    if _load(chosen) == min(map(_load, servers)):
        return None
    explained = {
        "fullest": _load(chosen) == max(map(_load, servers))
        or chosen.stored_bytes == max(each.stored_bytes for each in servers),
        "counts-files": chosen.files == min(each.files for each in servers),
        "ignores-reserved": chosen.stored_bytes == min(each.stored_bytes for each in servers),
        "ignores-stored": chosen.reserved_bytes == min(each.reserved_bytes for each in servers),
        "subtracts": chosen.stored_bytes - chosen.reserved_bytes
        == min(each.stored_bytes - each.reserved_bytes for each in servers),
        "of-all-fullest": _load(chosen) == max(map(_load, servers)),
    }
    emptiest = min(servers, key=_load)
    seen = (
        f"{chosen.node} was chosen, with {chosen.stored_bytes:,} bytes stored and {chosen.reserved_bytes:,} promised; "
        f"{emptiest.node} has {emptiest.stored_bytes:,} and {emptiest.reserved_bytes:,}"
    )
    return {name for name, holds in explained.items() if holds}, seen


@LAB.check(
    "the same arguments and the same seed give the same answer, and nothing is changed", points=2, after=("fewest",)
)
def repeatable(mine: Mine, trial: Trial) -> None:
    # equal servers, so that a tie is broken in whatever way it is
    equal = [ServerRecord(f"server{number}", ("127.0.0.1", number), 1000) for number in range(1, 9)]
    before = pickle.dumps(equal)
    answers = {_decide(mine.choose, equal, chance.Random(5)).node for _ in range(40)}
    if pickle.dumps(equal) != before or len(equal) != 8:
        raise Broken("changes-its-arguments", "after the call the list of servers was another one")
    if len(answers) > 1:
        raise Broken(
            "own-chance" if modules_of(mine.choose) & _OF_CHANCE else "remembers",
            f"of eight equally full servers, 40 equal calls chose {', '.join(sorted(answers))}",
        )


@LAB.check("one choice among 1,000 servers is quick", points=1, after=("fewest",))
def quick(mine: Mine, trial: Trial) -> None:
    servers = _servers(trial.random, 1000)
    own = min(_seconds(lambda: _decide(mine.choose, servers, trial.random)) for _ in range(3))
    look = min(_seconds(lambda: min(servers, key=lambda server: server.stored_bytes)) for _ in range(3))
    if own > 60 * look:
        raise Broken("slow", f"it took {own / look:,.0f} times as long as one look at each server")


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


@LAB.check(
    "in a simulated cluster the gap stays within the largest file, with many clients at once",
    points=3,
    after=("fewest",),
)
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(placement=mine.choose, clients=4, servers=4) as cluster,
    ):
        files = {name: trial.files(8) for name in cluster.clients}
        for name, contents in files.items():
            for file, data in contents.items():
                cluster.clients[name].put(file, data)
        cluster.run(*(lambda name=name: [cluster.clients[name].backup(file) for file in files[name]] for name in files))
        largest = max(len(data) for contents in files.values() for data in contents.values())
        _bounded(cluster, largest, copies=2)


def _bounded(cluster: Any, largest: int, copies: int) -> None:
    stored = cluster.stored_bytes()
    gap = max(stored.values()) - min(stored.values())
    if gap > largest:
        history = cluster.history
        last = history.of("placed")
        seen = f"the fullest server is {gap:,} bytes ahead of the emptiest; the largest file has {largest:,}"
        raise Broken("gap", seen, event=last[-1] if last else None, history=history)


@LAB.check(
    "in a real cluster too, whose manager is restarted and one of whose servers is killed",
    points=3,
    after=("repeatable",),
)
def real(mine: Mine, trial: Trial) -> None:
    options = {"placement": mine.choose, "clients": 1, "servers": 4, "repair": False}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        first = back_up(cluster, trial, 8)
        cluster.restart("manager")
        files = first | back_up(cluster, trial, 8)
        _bounded(cluster, max(map(len, (*first.values(), *files.values()))), copies=2)
        for server in cluster.servers[1:]:
            cluster.restart(server)
        cluster.kill("server1")
        files |= back_up(cluster, trial, 4)
        restore_all(cluster, trial, files, "cluster")
