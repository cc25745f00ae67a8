"""Lab 5's checks of the student's part by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...errors import ConnectionLost, DiskFull, RpclabError, TooFewCopies, error_text
from ...records import ServerRecord
from ...text import counted
from ..lab import Broken, Mine
from ..trial import Trial
from .about import LAB

__all__ = ["failures", "one_copy", "others", "several"]

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
            seen = f"the route has {len(self.route)} servers, {_copies(count)} wanted: {error_text(error)}"
            raise Broken("short-route", seen) from error
        if found is None:
            raise Broken("forgets", "it gave back None: a list of servers is expected")
        nodes = _nodes(found)
        again = sorted({name for name in self.tried if self.tried.count(name) > 1})
        if again:
            raise Broken("twice", f"the file was sent to {again[0]} {self.tried.count(again[0])} times")
        if claimed := [name for name in nodes if name not in self.have]:
            how = "copy to it failed" if claimed[0] in self.tried else "copy was never called with it"
            raise Broken("claims", f"{claimed[0]} is given back, and has no copy: {how}")
        if doubled := [name for name in nodes if nodes.count(name) > 1]:
            raise Broken("counts-twice", f"{doubled[0]} is given back {nodes.count(doubled[0])} times")
        if len(self.have) > count:
            raise Broken("too-many", f"{_copies(count)} wanted, {len(self.have)} made")
        if missing := [name for name in self.have if name not in nodes]:
            raise Broken("forgets", f"{missing[0]} has a copy, and is not given back")
        return nodes


def _copies(count: int) -> str:
    return counted(count, "copy", "copies")


def _asked(ground: _Ground) -> str:
    """How more was called."""
    return f"called was {', '.join(f'more({wanted})' for wanted in ground.asked) or 'more never'}"


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
            raise Broken("too-few", f"{_copies(count)} wanted, {len(made)} made; the route has {route} servers")
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
            raise Broken("gives-up", f"{_copies(count)} wanted, {len(made)} made; {_asked(ground)}")
        if sum(ground.asked) > count - (route - len(failing)):
            raise Broken("asks-for-more", f"{counted(len(failing), 'server')} had failed; {_asked(ground)}")
    for route, spare, count, failing in ((1, 6, 1, [0, 1, 2]), (2, 8, 2, [0, 2, 3, 4])):
        ground = _Ground(trial, route, spare, failing)
        made = ground.run(mine.replicate, count)
        if len(made) < count:
            seen = f"{_copies(count)} wanted and possible, {len(made)} made; {_asked(ground)}"
            raise Broken("asks-once" if ground.asked else "gives-up", seen)
    ground = _Ground(trial, 2, 2, [0, 1, 2, 3])
    if ground.run(mine.replicate, 2):
        raise Broken("claims", "every server failed")
