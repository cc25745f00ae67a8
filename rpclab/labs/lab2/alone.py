"""Lab 2's checks of the student's part by itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ...errors import error_text
from ..lab import Broken, Mine
from ..trial import Trial
from .about import LAB

__all__ = ["apart", "in_pieces", "limits", "round_trip", "together"]

_LARGEST = 65_536

_Frames = list[tuple[int, bytes]]


def _samples(trial: Trial) -> _Frames:
    random = trial.random
    marks = b"\x00\n\r|\\:,;EOF#" + bytes(range(16))
    contents = [
        b"hello",
        random.randbytes(300),
        b"EOF" * 50 + b"\n\n",
        bytes(random.choice(marks) for _ in range(400)),
        b"\x00\x00\x00\x05" * 40,
        random.randbytes(random.randrange(1000, 60_000)),
    ]
    return [(random.choice((77, 68, 69, 65, 0, 255, 10)), payload) for payload in contents]


def _fed(framing: Any, pieces: Iterable[bytes]) -> _Frames:
    found: _Frames = []
    for piece in pieces:
        given = framing.feed(piece)
        if given is None:
            raise Broken("half-frame", "feed gave back None: a list is expected, an empty one while nothing is whole")
        found += _pairs(given)
    return found


def _pairs(given: Any) -> _Frames:
    """What feed gave back; an exception of a generator is the student's."""
    try:
        each = list(given)
    except TypeError:
        if hasattr(given, "__next__"):
            raise
        raise Broken("no-list", f"feed gave back {given!r:.80}") from None
    if not all(isinstance(one, tuple | list) and len(one) == 2 for one in each):
        raise Broken("no-list", f"feed gave back {given!r:.80}")
    for _, payload in each:
        if not isinstance(payload, bytes | bytearray | memoryview):
            raise Broken("text", f"feed gave back a payload that is a {type(payload).__name__}, not bytes")
    return [(kind, bytes(payload)) for kind, payload in each]


def _frame(framing: Any, kind: int, payload: bytes) -> bytes:
    try:
        framed = framing.frame(kind, payload)
    except UnicodeError as error:
        raise Broken("text", f"frame({kind}, {payload[:8]!r}...) raised {type(error).__name__}") from None
    except Exception as error:
        if len(payload) == _LARGEST:
            fault = "refuses-largest" if type(error) is ValueError else "largest"
            raise Broken(fault, f"frame of {_LARGEST:,} bytes raised {type(error).__name__}: {error}") from None
        raise
    if not isinstance(framed, bytes | bytearray):
        raise Broken("text", f"frame gave back a {type(framed).__name__}, not bytes")
    return bytes(framed)


def _said(frames: _Frames) -> str:
    shown = [f"({kind}, {payload[:12]!r}{'...' if len(payload) > 12 else ''})" for kind, payload in frames[:4]]
    return f"[{', '.join(shown)}{', ...' if len(frames) > 4 else ''}]"


@LAB.check("what frame makes, feed gives back, whatever the bytes are", points=1)
def round_trip(mine: Mine, trial: Trial) -> None:
    _same(mine.Framing(), mine.Framing(), 77, b"some payload")
    for kind in (0, 10, 44, 127, 128, 255):
        _same_kind(mine, kind)
    for kind, payload in [*_samples(trial), (77, b"")]:
        _same(mine.Framing(), mine.Framing(), kind, payload)
    _same(mine.Framing(), mine.Framing(), 68, trial.random.randbytes(_LARGEST))


def _same_kind(mine: Mine, kind: int) -> None:
    """A payload that came out as it was with another kind: what goes wrong now is the kind's."""
    try:
        found = _fed(mine.Framing(), [_frame(mine.Framing(), kind, b"some payload")])
    except Exception as error:
        raise Broken("kind", f"kind {kind}: {type(error).__name__}: {error_text(error)}") from error
    if found != [(kind, b"some payload")]:
        raise Broken("kind", f"frame({kind}, b'some payload') came back as {_said(found)}")


def _same(sender: Any, receiver: Any, kind: int, payload: bytes) -> None:
    try:
        found = _fed(receiver, [_frame(sender, kind, payload)])
    except UnicodeError as error:
        raise Broken("text", f"feed raised {type(error).__name__}: {error}") from None
    except ValueError as error:
        if len(payload) != _LARGEST:
            raise
        seen = f"feed of a frame with a payload of {_LARGEST:,} bytes raised {type(error).__name__}: {error}"
        raise Broken("refuses-largest", seen) from error
    if found == [(kind, payload)]:
        return
    told = f"frame({kind}, {payload[:12]!r}), {len(payload):,} bytes, came back as {_said(found)}"
    raise Broken(_why(found, kind, payload), told)


def _why(found: _Frames, kind: int, payload: bytes) -> str:
    if not payload:
        return "empty"
    if len(found) == 1 and found[0][1] == payload:
        return "kind"
    if len(payload) == _LARGEST:
        return "largest"
    if len(found) == 1 and 0 < abs(len(found[0][1]) - len(payload)) <= 8 and b"hello" not in (found[0][1], payload[:0]):
        return "off-by-one"
    return "content-ends" if found or len(payload) > 20 else "off-by-one"


@LAB.check("frames that arrive together come out one by one, in order", points=2, after=("round-trip",))
def together(mine: Mine, trial: Trial) -> None:
    samples = [*_samples(trial), (69, b""), (77, b"last")]
    sender, receiver = mine.Framing(), mine.Framing()
    try:
        found = _fed(receiver, [b"".join(_frame(sender, *each) for each in samples)])
    except Exception as error:
        seen = f"{len(samples)} frames were fed at once: {type(error).__name__}: {error_text(error)}"
        raise Broken("one-read", seen) from error
    if found == samples:
        return _large_together(mine, trial)
    seen = f"{len(samples)} frames were fed at once, {len(found)} came out"
    if sorted(found) == sorted(samples):
        raise Broken("order", f"{seen}, the first was {_said(found[:1])}")
    raise Broken("one-read", seen)


def _large_together(mine: Mine, trial: Trial) -> None:
    sender, samples = mine.Framing(), [(68, trial.random.randbytes(_LARGEST)) for _ in range(3)]
    try:
        found = _fed(mine.Framing(), [b"".join(_frame(sender, *each) for each in samples)])
    except Exception as error:
        seen = f"three frames of {_LARGEST:,} bytes were fed at once: {type(error).__name__}: {error_text(error)}"
        raise Broken("limits-together", seen) from error
    if found != samples:
        raise Broken("limits-together", f"three frames of {_LARGEST:,} bytes were fed at once, {len(found)} came out")


@LAB.check("a frame that arrives in pieces comes out once it is whole", points=4, after=("together",))
def in_pieces(mine: Mine, trial: Trial) -> None:
    samples = [(77, b"short"), (69, b""), *_samples(trial)]
    sender = mine.Framing()
    stream = b"".join(_frame(sender, *each) for each in samples)
    first = len(_frame(mine.Framing(), *samples[0])) - 2
    _cut(
        mine, samples, [stream[:first], stream[first:]], "half-frame", "with the first one cut two bytes before its end"
    )
    _cut(mine, samples, [stream[:1], stream[1:]], "half-header", "first one byte was fed, then all the rest")
    _cut(mine, samples, [stream[place : place + 1] for place in range(len(stream))], "half-frame", "byte by byte")
    for _ in range(20):
        cuts = sorted({0, len(stream), *(trial.random.randrange(len(stream)) for _ in range(12))})
        pieces = [stream[start:end] for start, end in itertools.pairwise(cuts)]
        _cut(mine, samples, pieces, "half-frame", f"in {len(pieces)} pieces, the first of {len(pieces[0])} bytes")


def _cut(mine: Mine, samples: _Frames, pieces: list[bytes], fault: str, how: str) -> None:
    try:
        found = _fed(mine.Framing(), pieces)
    except Broken:
        raise
    except Exception as error:
        raise Broken(fault, f"fed {how}: {type(error).__name__}: {error_text(error)}") from error
    if found != samples:
        fault = (
            "twice"
            if len(found) > len(samples) and found[: len(samples) // 2] != samples[: len(samples) // 2]
            else fault
        )
        raise Broken(fault, f"{len(samples)} frames were fed {how}; {len(found)} came out: {_said(found)}")


@LAB.check("each connection has its own unfinished bytes, and gives bytes out for good", points=2, after=("in-pieces",))
def apart(mine: Mine, trial: Trial) -> None:
    sender, one, other = mine.Framing(), mine.Framing(), mine.Framing()
    first, second = _frame(sender, 77, b"for the one"), _frame(mine.Framing(), 68, b"for the other, and longer")
    try:
        found = [
            list(end.feed(data))
            for end, data in ((one, first[:6]), (other, second[:7]), (one, first[6:]), (other, second[7:]))
        ]
    except Exception as error:
        seen = f"two connections got pieces in turns: {type(error).__name__}: {error_text(error)}"
        raise Broken("shared-state", seen) from error
    got = [[(kind, bytes(payload)) for kind, payload in each] for each in found]
    if got != [[], [], [(77, b"for the one")], [(68, b"for the other, and longer")]]:
        raise Broken("shared-state", f"two connections got pieces in turns; they came out as {got}")
    kept = list(one.feed(_frame(sender, 1, b"the first payload")))
    list(one.feed(b"".join(_frame(sender, 2, b"ANOTHER AND A LONGER PAYLOAD") for _ in range(3))))
    if [(kind, bytes(payload)) for kind, payload in kept] != [(1, b"the first payload")]:
        raise Broken("views", f"it was b'the first payload', and after the next feed {bytes(kept[0][1])!r}")


@LAB.check("nobody can make it wait, or keep, more than one frame of 65,536 bytes", points=3, after=("in-pieces",))
def limits(mine: Mine, trial: Trial) -> None:
    try:
        framed = mine.Framing().frame(68, bytes(_LARGEST + 1))
    except ValueError:
        framed = b""
    if framed:
        raise Broken("no-limit", f"frame made one of a payload of {_LARGEST + 1:,} bytes, and raised no ValueError")
    for what, byte in (("0xFF", b"\xff"), ("'7'", b"7"), ("random", b"")):
        framing, silent = mine.Framing(), 0
        try:
            for _ in range(8 * _LARGEST // 4096):
                data = byte * 4096 or trial.random.randbytes(4096).replace(b"\n", b"x").replace(b"\0", b"x")
                silent += 4096
                if _pairs(framing.feed(data)):  # in some formats it is a frame by chance: then nothing is kept
                    silent = 0
        except ValueError:
            continue
        if silent > 4 * _LARGEST:
            raise Broken("no-limit", f"{silent:,} bytes of nonsense ({what}) were fed, and feed raised no ValueError")
    _none_longer(mine)


def _none_longer(mine: Mine) -> None:
    """Change each byte in front of the largest payload in turn, whatever it means: none may make a longer one of it."""
    payload = b"\x05" * _LARGEST
    framed = _frame(mine.Framing(), 68, payload)
    for place in range(min(16, max(0, framed.find(payload[:16])))):
        framing, changed = mine.Framing(), bytearray(framed + bytes(256))
        changed[place] = (changed[place] + 1) % 256
        try:
            found = [
                len(each)
                for start in range(0, len(changed), 8192)
                for _, each in _pairs(framing.feed(bytes(changed[start : start + 8192])))
            ]
        except Exception:  # however it says no
            continue
        if max(found, default=0) > _LARGEST:
            raise Broken("no-limit", f"feed gave back a payload of {max(found):,} bytes, and raised no ValueError")
