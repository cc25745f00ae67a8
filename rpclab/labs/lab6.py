"""Lab 6: a failure detector, and the plan of repairs. The student writes who counts as dead, and which copies are made then."""

from __future__ import annotations

from typing import Any

from ..cluster.settled import wait_settled
from .lab import Broken, Hint, Lab, Mine
from .scenes import back_up, blamed, restart_everything, restore_all
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab6",
    "Who is dead, and what is to be repaired",
    needs={
        "Detector": "class with __init__(self, suspect_s, dead_s), heard(self, server, now), forget(self, server) and "
        "look(self, now)",
        "plan_repair": "function plan_repair(files, servers, wanted) -> list of (file, source, target)",
    },
    ours=("rpclab.manager",),
    minutes=90,
    lines=40,
    faults={
        "look": Hint(
            "What does look give back, and of whom?",
            "Compare it with the servers that heard was called for.",
            "look has to give a dictionary with every server that is known, and nobody else: alive, suspected or dead.",
        ),
        "too-soon": Hint(
            "A server speaks every second. May it be late once?",
            "Compare the silence with suspect_s and dead_s: which of the two, and more than or at least?",
            "A server is suspected, or dead, before it has been silent for that long.",
        ),
        "first-heard": Hint(
            "From which moment do you count?",
            "Look at what heard does when the server is known already.",
            "Silence is counted from the first sign of life, not from the last.",
        ),
        "not-suspected": Hint(
            "Is there something between alive and dead?",
            "Look at the order in which you compare.",
            "A server that has been silent for more than suspect_s is not suspected.",
        ),
        "never-dead": Hint(
            "And if it stays silent?",
            "Look at the order in which you compare: which answer comes first when both limits are passed?",
            "A server that has been silent for more than dead_s is not dead.",
        ),
        "no-way-back": Hint(
            "A server was taken for dead, and speaks. What is it now?",
            "Look at what is remembered from the last look.",
            "A server that speaks again does not become alive.",
        ),
        "never-forgets": Hint(
            "A server has left. For how long is it talked about?",
            "Look at what forget removes.",
            "A server that was forgotten is still there in look.",
        ),
        "own-sleep": Hint(
            "Your laptop's lid was shut for an hour. Who was silent?",
            "Look at the time between two calls of look.",
            "The detector itself did not look for long, and takes everybody for silent: it has to give them time to speak again.",
        ),
        "blames-nobody": Hint(
            "Nobody is blamed after your own sleep. And after the next second?",
            "Look at what the time of your last look is compared with.",
            "A server that is really silent is never found out: each look begins its silence anew.",
        ),
        "plan": Hint(
            "What does plan_repair give back?",
            "It is a list of triples: file, source, target.",
            "plan_repair gives back something else than a list of (file, source, target).",
        ),
        "no-copy": Hint(
            "How many copies count, and how many are wanted?",
            "Compare the number of triples for a file with what it misses.",
            "Copies are missing, there are servers that could take them, and they are not planned.",
        ),
        "storm": Hint(
            "A server is suspected for two seconds each day. What would that cost?",
            "Look at which holders you count.",
            "A suspected server's copies are counted as lost: each hiccup begins a repair of all it holds.",
        ),
        "counts-dead": Hint(
            "Does a copy on a dead server count?",
            "Look at which holders you count.",
            "Copies on dead servers are counted, so that nothing is repaired.",
        ),
        "too-many": Hint(
            "When are there enough?",
            "Count the triples of one file.",
            "More copies are planned than are missing.",
        ),
        "holds-it": Hint(
            "What does it help to send a file to a server that has it?",
            "Look at whom you leave out when you choose the target.",
            "A copy is planned to a server that holds the file already, or that gets it twice.",
        ),
        "bad-target": Hint(
            "Would you give a file to a server that does not answer?",
            "Look at the states of the targets.",
            "A copy is planned to a server that is not alive.",
        ),
        "bad-source": Hint(
            "Who can send the file?",
            "Look at how you choose the source, and at its state.",
            "A copy is planned from a server that is dead or has none, or from a suspected one though one alive has the file.",
        ),
        "lost": Hint(
            "What can be done about a file whose holders are all dead?",
            "Look at what you do when there is no source.",
            "Nothing can be copied of a file of which no holder is left: it must not be in the plan.",
        ),
        "order": Hint(
            "Two files miss a copy; one of them has a single one left. Which is more urgent?",
            "Look at the order of your list.",
            "The rarest file is not the first.",
        ),
        "cluster": Hint(
            "A server has died in a cluster. What happens, and when?",
            "Run this check alone; the diagram shows who was suspected, who was gone, and what was repaired.",
            "In a cluster with your detector and your plan, copies stay missing, or a server that lives is taken for dead.",
        ),
    },
)

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
            raise Broken("never-forgets" if gone[0] in self.servers else "look", f"{gone[0]} is not known any more")
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


# ---- the plan


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


@LAB.check(
    "a simulated cluster repairs what a dead server held, and not what a slow one holds", points=3, after=("states",)
)
def simulated(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 4, "replicas": 2, "clients": 1, "heartbeat_s": 1.0, "dead_s": 6.0}
    options |= {"detector": mine.Detector, "plan_repair": mine.plan_repair}
    with blamed("cluster", "in the simulated cluster"), trial.simulated(**options) as cluster:
        files = back_up(cluster, trial, 6)
        cluster.sleep(10)
        slow, dead = trial.random.sample(sorted(cluster.servers), 2)
        cluster.pause(slow)
        cluster.sleep(3.5)
        cluster.resume(slow)
        cluster.sleep(4)
        if cluster.history.of("repaired", "gone"):
            raise Broken("cluster", f"{slow} was silent for 3.5 s (dead after 6): it was taken for dead, or repaired")
        cluster.pause(dead)
        cluster.sleep(30)
        if not any(event.peer == dead for event in cluster.history.of("gone")):
            raise Broken("cluster", f"{dead} was silent for 30 s, and was never gone; {_said(cluster)}")
        _all_there(cluster, 2)
        cluster.resume(dead)
        cluster.sleep(5)
        restart_everything(cluster)
        cluster.sleep(12)
        restore_all(cluster, trial, files, "cluster")


def _all_there(cluster: Any, wanted: int) -> None:
    for place in cluster.files():
        if len(place.servers) < wanted:
            told = f"{place.file.name} has {len(place.servers)} copies, {wanted} are wanted; {_said(cluster)}"
            raise Broken("cluster", told)


def _said(cluster: Any) -> str:
    problem = cluster.upkeep()["problem"]
    return f"the manager says: {problem or 'nothing'}"


@LAB.check("so does a real one, with every node restarted", points=2, after=("silence", "states"))
def real(mine: Mine, trial: Trial) -> None:
    options: dict[str, Any] = {"servers": 3, "replicas": 2, "clients": 1, "heartbeat_s": 0.3, "dead_s": 1.5}
    options |= {"detector": mine.Detector, "plan_repair": mine.plan_repair}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        files = back_up(cluster, trial, 4)
        restart_everything(cluster)
        cluster.kill("server1")
        wait_settled(cluster, 12)
        _all_there(cluster, 2)
        restore_all(cluster, trial, files, "cluster")
