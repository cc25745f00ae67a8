"""Lab 8's checks of the student's part by itself."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from ...errors import error_text
from ..lab import Broken, Mine
from ..reach import modules_of
from ..trial import Trial
from .about import LAB

__all__ = ["form", "friends", "quiet", "reflections", "replays", "strangers", "words"]

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
    for side, expected in (("responder", ("manager",)), ("initiator", ("client",))):
        sides = Sides(mine, trial)
        if not sides.believed(sides.prove(side), side, expected):
            raise Broken("own-role", f"a {expected[0]} was refused as {side}, where only a {expected[0]} may speak")


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
