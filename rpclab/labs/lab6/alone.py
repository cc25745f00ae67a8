"""Lab 6's checks of the student's part by itself."""

from __future__ import annotations

from ..lab import Broken, Mine
from ..trial import Trial
from .about import LAB

__all__ = ["alive", "asleep", "back", "one_missing", "silence", "states", "urgency"]

_SUSPECT_S, _DEAD_S = 2.0, 10.0

_WORSE = ("alive", "suspected", "dead")


class _Watch:
    """A detector that looks every half a second, while its servers speak every second, except those that are silent."""

    def __init__(self, mine: Mine, trial: Trial, servers: int) -> None:
        self.detector = mine.Detector(_SUSPECT_S, _DEAD_S)
        self.now = trial.random.uniform(0, 1e6)
        self.servers = [f"server{number}" for number in range(1, servers + 1)]
        self.last: dict[str, float] = {}
        self.silent: set[str] = set()
        for server in self.servers:
            self.speak(server)

    def speak(self, server: str) -> None:
        self.detector.heard(server, self.now)
        self.last[server] = self.now

    def look(self) -> dict[str, str]:
        found = self.detector.look(self.now)
        if not isinstance(found, dict):
            raise Broken("look", f"look gave back {found!r}")
        if gone := sorted(map(str, found.keys() - self.last.keys())):
            if gone[0] in self.servers:
                raise Broken("never-forgets", f"{gone[0]} has left (forget was called), and look still gives it")
            raise Broken("look", f"look gives {gone[0]}, of which it was never told")
        if missing := sorted(self.last.keys() - found.keys()):
            raise Broken("look", f"{missing[0]} is known, and look says nothing of it")
        if odd := [state for state in found.values() if state not in _WORSE]:
            raise Broken("look", f"{odd[0]!r} is no state: it is alive, suspected or dead")
        return dict(found)

    def pass_time(self, seconds: float) -> None:
        """So long, and what look says must be right at each moment."""
        for step in range(1, round(seconds * 2) + 1):
            self.now += 0.5
            if step % 2 == 0:
                for server in sorted(self.last.keys() - self.silent):
                    self.speak(server)
            self.judge()

    def judge(self) -> None:
        found = self.look()
        for server, heard in self.last.items():
            silence = self.now - heard
            if abs(silence - _SUSPECT_S) < 0.25 or abs(silence - _DEAD_S) < 0.25:
                continue  # on the line both are right
            right = "dead" if silence > _DEAD_S else "suspected" if silence > _SUSPECT_S else "alive"
            if found[server] == right:
                continue
            limits = f"suspected after {_SUSPECT_S:g}, dead after {_DEAD_S:g}"
            seen = f"{server} has been silent for {silence:.1f} s ({limits}); it is called {found[server]}"
            if _WORSE.index(found[server]) > _WORSE.index(right):
                raise Broken("too-soon", seen)
            raise Broken("not-suspected" if right == "suspected" else "never-dead", seen)


@LAB.check("a server that has just spoken is alive, and every server is told of", points=1)
def alive(mine: Mine, trial: Trial) -> None:
    watch = _Watch(mine, trial, 3)
    if set(watch.look().values()) != {"alive"}:
        raise Broken("too-soon", f"three servers have just spoken: look gives {watch.look()}")


@LAB.check("silence makes a server suspected, then dead; who goes on speaking is alive", points=2, after=("alive",))
def silence(mine: Mine, trial: Trial) -> None:
    watch = _Watch(mine, trial, 4)
    began = watch.now
    try:
        watch.pass_time(25)
    except Broken as broken:
        if broken.fault == "too-soon" and watch.now - began > _SUSPECT_S:
            broken.fault = "first-heard"
        raise
    watch.silent.add(trial.random.choice(watch.servers))
    watch.pass_time(14)


@LAB.check("who speaks again is alive again, and who has left is not talked about", points=2, after=("silence",))
def back(mine: Mine, trial: Trial) -> None:
    for silent_s in (5, 14):
        watch = _Watch(mine, trial, 3)
        one, other = trial.random.sample(watch.servers, 2)
        watch.silent.add(one)
        watch.pass_time(silent_s)
        watch.silent.clear()
        watch.speak(one)
        if (state := watch.look()[one]) != "alive":
            raise Broken("no-way-back", f"{one} was silent for {silent_s} s and has spoken again; it is called {state}")
        watch.detector.forget(other)
        watch.last.pop(other)
        watch.look()
        watch.pass_time(5)
        watch.servers.remove(other)
        watch.detector.forget("never-seen")


@LAB.check("a detector that was itself asleep blames nobody, and still finds who is dead", points=2, after=("silence",))
def asleep(mine: Mine, trial: Trial) -> None:
    watch = _Watch(mine, trial, 3)
    watch.pass_time(4)
    slept = trial.random.uniform(20, 3000)
    watch.now += slept
    found = watch.look()
    if set(found.values()) != {"alive"}:
        raise Broken("own-sleep", f"nobody has looked for {slept:.0f} s; then look gives {found}")
    watch.last = dict.fromkeys(watch.last, watch.now)
    dead = trial.random.choice(watch.servers)
    watch.silent.add(dead)
    try:
        watch.pass_time(14)
    except Broken as broken:
        if broken.fault in ("not-suspected", "never-dead"):
            broken.fault = "blames-nobody"
        raise


def _plan(mine: Mine, files: dict[str, list[str]], servers: dict[str, str], wanted: int) -> list[tuple[str, str, str]]:
    """What it gives back, once what holds for every plan was looked at."""
    given = {file: list(holders) for file, holders in files.items()}, dict(servers)
    found = mine.plan_repair(*given, wanted)
    try:
        plan = [(file, source, target) for file, source, target in found]
    except (TypeError, ValueError):
        raise Broken("plan", f"plan_repair gave back {found!r}") from None
    said = f"files {files}, servers {servers}, wanted {wanted}"[:500]
    planned: dict[str, list[str]] = {}
    for file, source, target in plan:
        if file not in files:
            raise Broken("plan", f"{file!r} is none of the files; {said}")
        holders = files[file]
        here = [each for each in holders if servers.get(each, "dead") != "dead"]
        told = f"the plan has ({file}, {source}, {target}); {said}"
        if not here:
            raise Broken("lost", told)
        if source not in here or (servers[source] == "suspected" and any(servers[each] == "alive" for each in here)):
            raise Broken("bad-source", told)
        if target in here or target in planned.get(file, []):
            raise Broken("holds-it", told)
        if servers.get(target) != "alive":
            raise Broken("bad-target", told)
        planned.setdefault(file, []).append(target)
    for file, holders in files.items():
        here = [each for each in holders if servers.get(each, "dead") != "dead"]
        count = len(planned.get(file, []))
        others = [each for each, state in servers.items() if state == "alive" and each not in here]
        missing = min(max(0, wanted - len(here)), len(others)) if here else 0
        told = f"{file} misses {missing}, planned are {count}; {said}"
        if count > missing:
            sure = [each for each in here if servers[each] == "alive"]
            raise Broken("storm" if count <= wanted - len(sure) else "too-many", told)
        if count < missing:
            dead = [each for each in holders if each not in here]
            raise Broken("counts-dead" if dead and count <= max(0, wanted - len(holders)) else "no-copy", told)
    ranks = [sum(servers.get(each, "dead") != "dead" for each in files[file]) for file, _, _ in plan]
    first_of = [rank for place, rank in enumerate(ranks) if plan[place][0] not in [each[0] for each in plan[:place]]]
    if first_of != sorted(first_of):
        raise Broken("order", f"the files of the plan have {first_of} copies left, in this order; {said}")
    return plan


def _servers(count: int, **states: str) -> dict[str, str]:
    return {f"server{number}": states.get(f"server{number}", "alive") for number in range(1, count + 1)}


@LAB.check("a file that has lost a copy gets another one, where it is not yet", points=2)
def one_missing(mine: Mine, trial: Trial) -> None:
    servers = _servers(4)
    _plan(mine, {"a": ["server1", "server2"]}, servers, 2)
    _plan(mine, {"a": ["server2"], "b": ["server1", "server3"]}, servers, 2)
    _plan(mine, {"a": ["server1"]}, _servers(3), 3)
    _plan(mine, {"a": ["server1"]}, _servers(1), 2)


@LAB.check("the dead neither count nor send nor take; the suspected count", points=3, after=("one-missing",))
def states(mine: Mine, trial: Trial) -> None:
    _plan(mine, {"a": ["server2", "server1"]}, _servers(4, server2="dead"), 2)
    _plan(mine, {"a": ["server1", "server2"]}, _servers(4, server2="suspected"), 2)
    _plan(mine, {"a": ["server2", "server1"]}, _servers(5, server2="suspected", server3="dead", server4="suspected"), 3)
    _plan(mine, {"a": ["server1"]}, _servers(3, server1="suspected", server2="dead"), 2)
    _plan(mine, {"a": ["server1", "gone"]}, _servers(3), 2)
    _plan(mine, {"a": ["server1"], "b": ["server2"]}, _servers(4, server1="dead"), 2)


@LAB.check("the rarest comes first, whatever else there is", points=2, after=("states",))
def urgency(mine: Mine, trial: Trial) -> None:
    rare, common = ["server1"], ["server2", "server3"]
    for files in ({"a": rare, "b": common}, {"a": common, "b": rare}, {"b": common, "a": rare}):
        _plan(mine, files, _servers(5), 3)
    for _ in range(40):
        servers = _servers(trial.random.randint(2, 7))
        for server in servers:
            servers[server] = trial.random.choice(["alive", "alive", "alive", "suspected", "dead"])
        files = {
            f"file{number}": trial.random.sample(sorted(servers), trial.random.randint(0, len(servers)))
            for number in range(trial.random.randint(1, 6))
        }
        _plan(mine, files, servers, trial.random.randint(1, 4))
