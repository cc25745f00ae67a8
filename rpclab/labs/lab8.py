"""Lab 8: the handshake. The student writes how two nodes prove to one another that they know the cluster's secret."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..config import address_text
from ..errors import HandshakeError, RpclabError, error_text
from ..rpc.handshake import Identity
from ..rpc.opening import open_connection
from ..trace import Tracer
from ..world.real import RealWorld
from .lab import Broken, Hint, Lab, Mine
from .reach import modules_of
from .scenes import back_up_and_restore, blamed, restart_everything
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab8",
    "Who may speak: a handshake",
    needs={
        "Handshake": "class with __init__(self, secret, random_bytes), nonce(self), prove(self, side, initiator, responder) "
        "and check(self, proof, side, initiator, responder, expected)"
    },
    ours=("rpclab.rpc", "rpclab.lessons"),
    minutes=90,
    lines=30,
    faults={
        "form": Hint(
            "What does nonce, and what does prove give back?",
            "Count the characters, and look at which they are.",
            "Nonces and proofs are texts of 64 hexadecimal digits; something else came back.",
        ),
        "refuses-friends": Hint(
            "Do both sides compute the proof from the same things, in the same order?",
            "Print what goes into the proof, at both ends.",
            "Two sides that know the same secret do not believe one another.",
        ),
        "believes-anybody": Hint(
            "What must be different about a peer that does not know the secret?",
            "Look at what check compares, and at what happens when it does not fit.",
            "A proof made with another secret, or made up, is believed.",
        ),
        "believes-a-part": Hint(
            "Is the beginning of a proof a proof?",
            "Look at how check compares: all of it, with its length?",
            "An empty proof, or a part of the right one, is believed.",
        ),
        "old-nonce": Hint(
            "Somebody has recorded yesterday's handshake. What is different today?",
            "Look at where your nonces come from.",
            "Two handshakes had the same nonce, or one that can be foreseen: what was recorded can be used again.",
        ),
        "own-chance": Hint(
            "Could somebody repeat your run exactly, with its seed?",
            "Look for chance or time that does not come from random_bytes.",
            "Nonces are made of chance or time of your own: in the simulated world nothing can be replayed.",
        ),
        "replay": Hint(
            "Could a proof that was recorded be used in another conversation?",
            "Look at which nonces go into the proof. There are two.",
            "A proof does not depend on the nonces of both sides: a recorded one is believed again.",
        ),
        "reflection": Hint(
            "Can your own words be used against you?",
            "Whose proof is it? Compare the proofs of the two sides, and think of a peer that sends back what it hears.",
            "A peer that knows nothing is believed when it sends our own proof, or our own nonce, back.",
        ),
        "names": Hint(
            "Somebody in the middle changes a name or a role on its way. Who notices?",
            "Look at what the proof covers: all that both sides said of themselves?",
            "A changed name, role or version is not noticed: the proof does not cover it.",
        ),
        "role": Hint(
            "Everybody in the cluster knows the secret. May a client do what a server does?",
            "check is given `expected`.",
            "A peer of a role that may not speak here is let in.",
        ),
        "own-role": Hint(
            "Whose role has to be among those expected: yours, or the other side's?",
            "`side` says who the other one is; look at whose role you compare.",
            "The role of the wrong side is looked at.",
        ),
        "version": Hint(
            "What if the peer is of another version of the protocol?",
            "Look at what both sides say of themselves.",
            "A peer of another version is let in.",
        ),
        "compares-in-time": Hint(
            "How long does it take to compare two texts that differ in the first letter, and in the last?",
            "Look at the comparison of proofs; the standard library has one made for this.",
            "Proofs are compared with ==, which stops at the first difference: so time tells a proof letter by letter.",
        ),
        "tells-the-secret": Hint(
            "What does somebody who listens learn of the secret?",
            "Look at what is sent: does it hold the secret, or the same value each time?",
            "What is sent gives the secret away, or is as good as it.",
        ),
        "cluster": Hint(
            "Do all nodes of a cluster come in, and no stranger?",
            "Run this check alone; what the nodes said is in its output.",
            "In a cluster your handshake lets the wrong ones in, or keeps the right ones out.",
        ),
    },
)

_OF_CHANCE = {"random", "time", "secrets", "os", "posix", "nt", "uuid", "datetime", "numpy"}
_Hello = dict[str, Any]
_HEX = re.compile(r"[0-9a-f]{64}")
_ALL = ("manager", "server", "client")


class Sides:
    """Two nodes with the student's handshake, and what they say of themselves."""

    def __init__(self, mine: Mine, trial: Trial, *, other_secret: bool = False) -> None:
        random = trial.random
        secret = random.randbytes(32)
        theirs = random.randbytes(32) if other_secret else secret
        self.one = mine.Handshake(secret, random.randbytes)
        self.other = mine.Handshake(theirs, random.randbytes)
        self.initiator = self._hello("client", random.choice(("ada", "client7")), self.one)
        self.responder = self._hello("manager", "manager", self.other)

    @staticmethod
    def _hello(role: str, node: str, handshake: Any) -> _Hello:
        nonce = handshake.nonce()
        _of_form("nonce", nonce)
        return {"version": 1, "role": role, "node": node, "nonce": nonce}

    def prove(self, side: str) -> str:
        own = self.one if side == "initiator" else self.other
        proof = own.prove(side, dict(self.initiator), dict(self.responder))
        _of_form("prove", proof)
        return str(proof)

    def check(self, proof: str, side: str, expected: tuple[str, ...] = _ALL) -> None:
        """Have the other side look at the proof of this one; whatever it raises is a no."""
        judge = self.other if side == "initiator" else self.one
        judge.check(proof, side, dict(self.initiator), dict(self.responder), expected)

    def believed(self, proof: str, side: str, expected: tuple[str, ...] = _ALL) -> bool:
        try:
            self.check(proof, side, expected)
        except Exception:  # however it says no
            return False
        return True


def _of_form(what: str, value: object) -> None:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Broken("form", f"{what} gave back {value!r:.80}")


@LAB.check("nonces and proofs are 64 hexadecimal digits", points=1)
def form(mine: Mine, trial: Trial) -> None:
    sides = Sides(mine, trial)
    for side in ("initiator", "responder"):
        sides.prove(side)


@LAB.check("two sides that know the same secret believe one another", points=2, after=("form",))
def friends(mine: Mine, trial: Trial) -> None:
    for _ in range(5):
        sides = Sides(mine, trial)
        if sides.initiator["nonce"] == sides.responder["nonce"]:
            raise Broken("old-nonce", f"two nodes had the same nonce, {sides.initiator['nonce'][:16]}...")
        for side in ("responder", "initiator"):
            proof = sides.prove(side)
            try:
                sides.check(proof, side)
            except Exception as error:
                seen = f"the {side}'s proof was refused: {type(error).__name__}: {error_text(error)}"
                raise Broken("refuses-friends", seen) from error


@LAB.check("who does not know the secret is refused", points=3, after=("friends",))
def strangers(mine: Mine, trial: Trial) -> None:
    stranger, sides = Sides(mine, trial, other_secret=True), Sides(mine, trial)
    for side in ("responder", "initiator"):
        for proof in (stranger.prove(side), trial.random.randbytes(32).hex(), "0" * 64):
            if stranger.believed(proof, side):
                raise Broken("believes-anybody", f"a proof of the {side} made without the secret was believed")
        right = sides.prove(side)
        for proof in ("", right[:1], right[:32], right + "0", right.upper()[:-1]):
            if sides.believed(proof, side):
                raise Broken("believes-a-part", f"{len(proof)} characters of a proof were believed")


@LAB.check("what was said once is of no use again", points=3, after=("strangers",))
def replays(mine: Mine, trial: Trial) -> None:
    nonces = [mine.Handshake(b"s" * 32, trial.random.randbytes).nonce() for _ in range(50)]
    fixed = {mine.Handshake(b"s" * 32, lambda count: b"7" * count).nonce() for _ in range(3)}
    if len(set(nonces)) == len(nonces) and len(fixed) > 1 and modules_of(mine.Handshake) & _OF_CHANCE:
        raise Broken("own-chance", "random_bytes gave the same bytes three times, and the nonces were others each time")
    if len(set(nonces)) < len(nonces) or len(fixed) > 1 or fixed <= set(nonces):
        raise Broken(
            "old-nonce", "nonces were not made of fresh random bytes alone: random_bytes decides all of a nonce"
        )
    for side in ("responder", "initiator"):
        sides = Sides(mine, trial)
        recorded = sides.prove(side)
        for whose, hello in (("initiator", sides.initiator), ("responder", sides.responder)):
            before, hello["nonce"] = hello["nonce"], trial.random.randbytes(32).hex()
            if sides.believed(recorded, side):
                raise Broken(
                    "replay", f"a recorded proof of the {side} was believed though the {whose}'s nonce was new"
                )
            hello["nonce"] = before


@LAB.check("nobody is fooled by its own words, sent back", points=2, after=("strangers",))
def reflections(mine: Mine, trial: Trial) -> None:
    sides = Sides(mine, trial)
    if sides.believed(sides.prove("initiator"), "responder") or sides.believed(sides.prove("responder"), "initiator"):
        raise Broken("reflection", "the proof of the one side was believed as the other's")
    echo = Sides(mine, trial)
    echo.responder = dict(echo.initiator, role="manager", node="manager")
    with contextlib.suppress(Exception):  # to refuse an echo here is right too
        proof = echo.one.prove("responder", dict(echo.initiator), dict(echo.responder))
        if echo.believed(str(proof), "responder"):
            raise Broken("reflection", "a peer with our own nonce was believed")


@LAB.check("what both say of themselves is covered, and must fit", points=3, after=("strangers",))
def words(mine: Mine, trial: Trial) -> None:
    for side in ("responder", "initiator"):
        for whose in ("initiator", "responder"):
            for key, changed in (("node", "mallory"), ("role", "server")):
                sides = Sides(mine, trial)
                proof = sides.prove(side)
                getattr(sides, whose)[key] = changed
                if sides.believed(proof, side):
                    raise Broken(
                        "names", f"the {whose}'s {key} was changed on its way, and the {side}'s proof still believed"
                    )
    for side, expected in (("responder", ("manager",)), ("initiator", ("client",))):
        sides = Sides(mine, trial)
        if not sides.believed(sides.prove(side), side, expected):
            raise Broken("own-role", f"a {expected[0]} was refused as {side}, where only a {expected[0]} may speak")
    sides = Sides(mine, trial)
    if sides.believed(sides.prove("initiator"), "initiator", ("manager", "server")):
        raise Broken("role", "a client was let in where only a manager or a server may speak")
    sides = Sides(mine, trial)
    if sides.believed(sides.prove("responder"), "responder", ("client", "server")):
        raise Broken("role", "a manager was believed as responder where a client or a server was expected")
    for side in ("responder", "initiator"):
        for version in (0, 2, 3):
            sides = Sides(mine, trial)
            getattr(sides, side)["version"] = version
            if sides.believed(sides.prove(side), side):
                raise Broken("version", f"the {side} is of version {version}, the other side of 1, and it was believed")


class _Watched(str):
    """A text that notices when it is compared with ==."""

    compared = False

    def __eq__(self, other: object) -> bool:
        type(self).compared = True
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        type(self).compared = True
        return str.__ne__(self, other)

    __hash__ = str.__hash__


@LAB.check("who listens, or measures time, learns nothing of the secret", points=2, after=("strangers",))
def quiet(mine: Mine, trial: Trial) -> None:
    secret = trial.random.randbytes(32)
    said = set()
    for _ in range(3):
        handshake = mine.Handshake(secret, trial.random.randbytes)
        hello = {"version": 1, "role": "client", "node": "ada", "nonce": handshake.nonce()}
        other = dict(hello, role="manager", node="manager", nonce=trial.random.randbytes(32).hex())
        proof = str(handshake.prove("initiator", hello, other))
        if secret.hex() in (proof, hello["nonce"]) or proof in said:
            raise Broken("tells-the-secret", "the proof is the secret itself, or the same each time")
        said.add(proof)
    sides, _Watched.compared = Sides(mine, trial), False
    with contextlib.suppress(Exception):
        sides.check(_Watched(sides.prove("initiator")), "initiator")
    if _Watched.compared:
        raise Broken("compares-in-time", "the proof was compared with == or !=")


@LAB.check("a simulated cluster comes together, and again after each node was restarted", points=2, after=("friends",))
def simulated(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the simulated cluster"), trial.simulated(handshake=mine.Handshake) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")


@LAB.check("so does a real one, and no stranger comes in", points=3, after=("strangers",))
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(handshake=mine.Handshake, clients=1) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")
        client = cluster.connect("ada")
        own = client._identity
        for what, identity in _wrong(own, trial):
            for node, expected in (("manager", "manager"), ("server1", "server")):
                if _comes_in(cluster.addresses[node], identity, expected):
                    seen = f"{what} came in at {node}, {address_text(cluster.addresses[node])}"
                    raise Broken("cluster", seen)


def _wrong(own: Identity, trial: Trial) -> Iterator[tuple[str, Identity]]:
    yield "a stranger with another secret", replace(own, secret=trial.random.randbytes(32))
    yield "a stranger without a secret", replace(own, secret=b"")


def _comes_in(address: tuple[str, int], identity: Identity, expected: str) -> bool:
    """Whether a node with this identity can call something; a stranger does not ask whether the other side is right."""
    credulous = replace(identity, own=replace(identity.own, handshake=_believing(identity.own.handshake)))
    world = RealWorld()
    try:
        with open_connection(
            world, address, credulous, Tracer(world, identity.node), expected=(expected,)
        ) as connection:
            return bool(connection.call("string", "let me in") == "let me in")
    except (HandshakeError, RpclabError):
        return False


def _believing(handshake: Callable[..., Any] | None) -> Callable[..., Any]:
    assert handshake is not None

    class Believing(handshake):  # type: ignore[misc,valid-type]
        def check(self, *anything: Any) -> None:
            return None

    return Believing
