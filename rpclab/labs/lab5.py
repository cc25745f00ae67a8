"""Lab 5: replication. The student writes how a server sees to the other copies of a file that it has just stored."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import ConnectionLost, DiskFull, RpclabError, TooFewCopies, error_text
from ..records import ServerRecord
from .lab import Broken, Hint, Lab, Mine
from .reach import modules_of
from .scenes import back_up, blamed, restart_everything, restore_all
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab5",
    "Replication: another copy, and the truth about it",
    needs={"replicate": "function replicate(count, route, copy, more) -> servers that have a copy"},
    ours=("rpclab.server",),
    minutes=75,
    lines=15,
    faults={
        "claims": Hint(
            "When do you know that a server has a copy?",
            "Look at when a server gets onto the list that you give back.",
            "A server is given back that has no copy: the client is told of a copy that there is not.",
        ),
        "forgets": Hint(
            "Does the client hear of every copy that was made?",
            "Look at what you give back, and compare it with the calls of copy that returned.",
            "A copy was made and is not given back.",
        ),
        "no-servers": Hint(
            "What does your function give back: how many, which names, or the servers?",
            "Look at what you put onto the list, and at every return.",
            "What comes back is not a list of the servers themselves, those that copy was called with.",
        ),
        "counts-twice": Hint(
            "How many different servers have a copy?",
            "Look at how often a server gets onto the list that you give back.",
            "One server is given back twice: the client is told of two copies, and there is one.",
        ),
        "short-route": Hint(
            "Has the route always as many servers as copies are wanted?",
            "Look for route with a number in brackets.",
            "The route may be shorter than count, or empty: there is no server at that place.",
        ),
        "own-threads": Hint(
            "Whose threads send the copies in the simulated world?",
            "Look at your imports: one copy after the other is what is asked for.",
            "Python's own threads are used: the simulated world does not know them, and copy does not work there.",
        ),
        "too-few": Hint(
            "How many other servers are to have a copy? Does the one that your code runs on count?",
            "Compare the number of copies with count.",
            "Fewer copies are made than count, though servers are there: count is the number of the other servers.",
        ),
        "too-many": Hint(
            "When are there enough copies?",
            "Look at where your loop ends.",
            "More copies are made than count.",
        ),
        "lets-errors-out": Hint(
            "A server dies while you send to it. What should happen with the others?",
            "Look at what your function does when copy raises.",
            "An error of copy ends your function, and with it the copies that were still to be made.",
        ),
        "gives-up": Hint(
            "The server that was chosen failed. Is the file lost?",
            "You have been given a way to get other servers.",
            "When a server fails no other one is asked for.",
        ),
        "asks-once": Hint(
            "And if the other server fails too?",
            "Look at how often more is called, and with which number.",
            "Other servers are asked for only once: when they fail as well, copies are missing though there are servers left.",
        ),
        "twice": Hint(
            "What does it help to ask a server again that has just failed, or has a copy already?",
            "Look at which servers copy was called with.",
            "The same server is sent the file twice.",
        ),
        "never-ends": Hint(
            "What if there is no server left at all?",
            "Look at what your loop does when more gives back an empty list.",
            "With no server left your function goes on for ever.",
        ),
        "asks-for-more": Hint(
            "Each server that more gives you has room reserved for the file. Do you need it?",
            "Look at when more is called, and with which number.",
            "Servers are asked for that are not needed: room is reserved there for nothing.",
        ),
        "order": Hint(
            "In which order does the manager want the copies to be made?",
            "Look at how you go through route.",
            "The servers of the route are not tried in their order.",
        ),
        "cluster": Hint(
            "Is what the receipt says true of the disks?",
            "Run this check alone; the judge's words name the file and the server.",
            "In a cluster your function makes the wrong copies, or says the wrong thing of them.",
        ),
    },
)

_ENOUGH = 200  # calls of one function: more servers than there are


class _Ground:
    """Servers, some of which fail, and what was done with them."""

    def __init__(self, trial: Trial, route: int, others: int, failing: Iterable[int] = ()) -> None:
        names = trial.random.sample(range(1, 100), route + others)
        servers = [ServerRecord(f"server{name}", ("127.0.0.1", 60000 + name), 0) for name in names]
        self.route, self.others = servers[:route], servers[route:]
        self.failing = {servers[place].node for place in failing}
        self.errors: list[RpclabError] = [ConnectionLost("it went away"), DiskFull("no room"), TooFewCopies("none")]
        self.tried: list[str] = []
        self.have: list[str] = []
        self.asked: list[int] = []

    def copy(self, server: Any) -> None:
        name = getattr(server, "node", None)
        if name is None:
            raise Broken("claims", f"copy was called with {server!r}, which is no server")
        if len(self.tried) > _ENOUGH:
            raise Broken("never-ends", f"copy was called more than {_ENOUGH} times")
        self.tried.append(name)
        if name in self.failing:
            raise self.errors[len(self.tried) % len(self.errors)]
        self.have.append(name)

    def more(self, wanted: int) -> list[ServerRecord]:
        if len(self.asked) > _ENOUGH:
            raise Broken("never-ends", f"more was called more than {_ENOUGH} times")
        self.asked.append(wanted)
        given, self.others = self.others[:wanted], self.others[wanted:]
        return given

    def run(self, replicate: Callable[..., Any], count: int) -> list[str]:
        """What it gives back, once what every case has in common was looked at."""
        try:
            found = replicate(count, list(self.route), self.copy, self.more)
        except Broken:
            raise
        except RpclabError as error:
            raise Broken("lets-errors-out", f"{type(error).__name__} came out of it: {error_text(error)}") from error
        except IndexError as error:
            seen = f"the route has {len(self.route)} servers, {count} copies were wanted: {error_text(error)}"
            raise Broken("short-route", seen) from error
        if found is None:
            raise Broken("forgets", "it gave back None: a list of servers is expected")
        nodes = _nodes(found)
        again = sorted({name for name in self.tried if self.tried.count(name) > 1})
        if again:
            raise Broken("twice", f"the file was sent to {again[0]} {self.tried.count(again[0])} times")
        if claimed := [name for name in nodes if name not in self.have]:
            raise Broken(
                "claims", f"{claimed[0]} is given back, and has no copy; it was tried: {claimed[0] in self.tried}"
            )
        if doubled := [name for name in nodes if nodes.count(name) > 1]:
            raise Broken("counts-twice", f"{doubled[0]} is given back {nodes.count(doubled[0])} times")
        if len(self.have) > count:
            raise Broken("too-many", f"{count} copies were wanted, {len(self.have)} were made")
        if missing := [name for name in self.have if name not in nodes]:
            raise Broken("forgets", f"{missing[0]} has a copy, and is not given back")
        return nodes


def _nodes(found: Any) -> list[str]:
    try:
        given = list(found)
    except TypeError:
        if hasattr(found, "__next__"):
            raise
        raise Broken("no-servers", f"it gave back {found!r:.80}") from None
    if any(not isinstance(server, ServerRecord) for server in given):
        raise Broken("no-servers", f"it gave back {given!r:.80}")
    return [server.node for server in given]


@LAB.check("the server of the route gets a copy, and is given back", points=1)
def one_copy(mine: Mine, trial: Trial) -> None:
    ground = _Ground(trial, 1, 3)
    if len(ground.run(mine.replicate, 1)) != 1:
        raise Broken("too-few", "one copy was wanted, none was made")


@LAB.check("as many copies as are wanted, on the route's servers in order, and no more", points=2, after=("one-copy",))
def several(mine: Mine, trial: Trial) -> None:
    for route, count in ((2, 2), (4, 4), (5, 3), (3, 1), (2, 0)):
        ground = _Ground(trial, route, 3)
        made = ground.run(mine.replicate, count)
        if len(made) < count:
            raise Broken("too-few", f"{count} copies were wanted, {len(made)} were made; the route has {route} servers")
        if ground.tried != [server.node for server in ground.route[:count]]:
            raise Broken("order", f"the route is {[server.node for server in ground.route]}, tried were {ground.tried}")
        if ground.asked:
            raise Broken("asks-for-more", f"more({ground.asked[0]}) was called though the route was enough")


@LAB.check("a server that fails is not counted, and does not end it", points=3, after=("several",))
def failures(mine: Mine, trial: Trial) -> None:
    for route, count, failing in ((2, 2, [0]), (3, 3, [1]), (4, 2, [0, 1]), (3, 2, [2])):
        ground = _Ground(trial, route, 0, failing)
        made = ground.run(mine.replicate, count)
        possible = min(count, route - len(failing))
        if len(made) < possible:
            seen = f"of a route of {route} servers {len(failing)} failed; {possible} copies were possible, {len(made)} were made"
            raise Broken("gives-up", seen)


@LAB.check("other servers take the place of those that fail, as long as there are any", points=4, after=("failures",))
def others(mine: Mine, trial: Trial) -> None:
    for route, spare, count, failing in ((1, 3, 1, [0]), (2, 4, 2, [0, 1]), (0, 2, 2, []), (2, 2, 2, [0])):
        ground = _Ground(trial, route, spare, failing)
        made = ground.run(mine.replicate, count)
        if len(made) < count:
            raise Broken("gives-up", f"{count} copies were wanted, {len(made)} made; more was asked {ground.asked}")
        if sum(ground.asked) > count - (route - len(failing)):
            raise Broken("asks-for-more", f"{len(failing)} servers had failed; more was asked {ground.asked}")
    for route, spare, count, failing in ((1, 6, 1, [0, 1, 2]), (2, 8, 2, [0, 2, 3, 4])):
        ground = _Ground(trial, route, spare, failing)
        made = ground.run(mine.replicate, count)
        if len(made) < count:
            seen = f"{count} copies were wanted and possible, {len(made)} made; more was asked {ground.asked}"
            raise Broken("asks-once" if ground.asked else "gives-up", seen)
    ground = _Ground(trial, 2, 2, [0, 1, 2, 3])
    if ground.run(mine.replicate, 2):
        raise Broken("claims", "every server failed")


@LAB.check(
    "in a simulated cluster of full and dying servers no receipt says what is not so", points=3, after=("failures",)
)
def simulated(mine: Mine, trial: Trial) -> None:
    if used := sorted(
        modules_of(mine.replicate) & {"threading", "_thread", "concurrent", "multiprocessing", "asyncio"}
    ):
        raise Broken("own-threads", f"it uses {', '.join(used)}")
    options: dict[str, Any] = {"servers": 5, "replicas": 3, "replicate": mine.replicate, "repair": False, "clients": 1}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files = back_up(cluster, trial, 4)
        cluster.fill("server2", 100)
        files |= _whatever(cluster, trial)
        cluster.empty("server2")
        cluster.kill("server3")
        files |= _whatever(cluster, trial)
        restart_everything(cluster)
        files |= back_up(cluster, trial, 4)
        restore_all(cluster, trial, files, "cluster")
    _judged(cluster)


def _whatever(cluster: Any, trial: Trial) -> dict[str, bytes]:
    """Back files up where a server may fail: fewer copies than wanted are right if the receipt says so."""
    files = {f"{trial.random.randrange(1 << 30)}-{name}": data for name, data in trial.files(5).items()}
    client = cluster.clients["client1"]
    for name, contents in files.items():
        if hasattr(client, "put"):
            client.put(name, contents)
        else:
            (pathlib.Path(client.folder) / name).write_bytes(contents)
        with contextlib.suppress(TooFewCopies):
            client.backup(name)
    return files


def _judged(cluster: Any) -> None:
    """What the judge says of the run, by its event logs and its disks."""
    for judgement in cluster.check():
        for finding in judgement.findings:
            if finding.verdict.value == "invalid":
                event = finding.events[-1] if finding.events else None
                raise Broken("cluster", f"{judgement.name}: {finding.sentence}", event=event, history=cluster.history)


@LAB.check("so in a real one, with each node restarted and a server killed", points=3, after=("others",))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 4, "replicas": 3, "replicate": mine.replicate, "repair": False, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        restart_everything(cluster)
        cluster.kill("server1")
        files |= _whatever(cluster, trial)
        restore_all(cluster, trial, files, "cluster")
    _judged(cluster)
