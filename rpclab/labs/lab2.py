"""Lab 2: messages on a stream. The student writes a framing, which all connections of a cluster then speak.

TCP carries bytes in order and knows no messages: what was sent in one call may arrive in pieces, or together with the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ..errors import error_text
from ..world.simulated import Conditions
from .lab import Broken, Hint, Lab, Mine
from .scenes import back_up_and_restore, blamed, restart_everything
from .trial import Trial

__all__ = ["LAB"]

_LARGEST = 65_536

LAB = Lab(
    "lab2",
    "Messages on a stream",
    needs={"Framing": "class with frame(self, kind, payload) -> bytes and feed(self, data) -> list of (kind, payload)"},
    ours=("rpclab.rpc.packets", "rpclab.rpc.channel", "rpclab.rpc.own_framing"),
    minutes=75,
    lines=20,
    faults={
        "off-by-one": Hint(
            "How many bytes does your length count, and where does the payload begin?",
            "Compare what frame writes as the length with how far feed reads.",
            "Bytes are missing or too many: the length counts the header on one side and not on the other.",
        ),
        "content-ends": Hint(
            "Can a file contain any bytes, also those that you use as a mark?",
            "Look at how feed finds the end of a frame.",
            "A payload that contains your own mark or header is cut there, or split: its content decides where it ends.",
        ),
        "empty": Hint(
            "Is a message of no bytes a message?",
            "Look for a test such as `if not payload`, or a length of 0 that means something else.",
            "A frame with an empty payload does not come out again.",
        ),
        "kind": Hint(
            "Does feed give back the same kind that frame was given, for each number from 0 to 255?",
            "Look at how the kind is written and read.",
            "The kind comes back as another one.",
        ),
        "refuses-largest": Hint(
            "May a payload have exactly 65,536 bytes?",
            "Look at the comparison with LARGEST: what does it say when both are equal?",
            "A payload of exactly 65,536 bytes is refused; only more than that is too many.",
        ),
        "limits-together": Hint(
            "Each of three frames is as large as it may be, and they arrive together. Is one of them too large?",
            "Look at what you compare with LARGEST: the length of one frame, or all that has arrived?",
            "What has arrived is limited, not the single frame: whole frames that arrive together are refused.",
        ),
        "no-list": Hint(
            "What does feed give back when one frame is whole? And when none is?",
            "Look at each return of feed.",
            "feed does not give back a list of pairs: also a single frame comes in a list, and none is an empty list.",
        ),
        "largest": Hint(
            "How large a number fits your length field?",
            "Try a payload of exactly 65,536 bytes.",
            "The largest payload does not fit: 65,536 needs 17 bits, and two bytes hold 16.",
        ),
        "text": Hint(
            "Is every payload a text?",
            "Look for encode, decode or str.",
            "Payloads are any bytes; yours are treated as text, which not all bytes are.",
        ),
        "one-read": Hint(
            "What if two messages were sent quickly, one after the other?",
            "Look at what feed does with the bytes behind the first frame.",
            "One feed is taken for one frame: when several arrive together, those behind the first are lost or run into it.",
        ),
        "half-frame": Hint(
            "What if only half of a message has arrived?",
            "Look at what feed does with bytes that are no whole frame yet, and where it keeps them.",
            "A frame that arrives in pieces is lost or comes out wrong: what is not whole has to wait for the rest.",
        ),
        "half-header": Hint(
            "What if the first thing to arrive is one single byte?",
            "Look at where feed reads the header: is all of it there?",
            "The header itself can arrive in pieces; it is read before it is whole.",
        ),
        "order": Hint(
            "In which order do the frames come out?",
            "Look at how feed collects what it gives back.",
            "Frames come out in another order than they went in.",
        ),
        "twice": Hint(
            "What is left in your buffer after a frame was taken out?",
            "Look at what feed removes.",
            "A frame comes out more than once.",
        ),
        "shared-state": Hint(
            "A node has many connections at once. Where does each keep its unfinished bytes?",
            "Look for a variable of the module, of the class, or a default argument that is a list or a bytearray.",
            "Two connections share one buffer: pieces of the one run into the other.",
        ),
        "views": Hint(
            "Who owns the bytes that you give back, after the next feed?",
            "Look for memoryviews, or a bytearray that is given out and used on.",
            "A payload that was given out changes when more data is fed.",
        ),
        "no-limit": Hint(
            "What does feed do when somebody sends nonsense, and never stops?",
            "Look at what feed does with a length of four thousand million, before it waits for so many bytes.",
            "Nothing ends a frame of more than 65,536 bytes: feed has to raise ValueError, frame to refuse it.",
        ),
        "cluster": Hint(
            "Do both ends of a connection agree, from the very first byte?",
            "Run the check alone and read what the nodes say.",
            "With your framing the nodes of a cluster do not understand one another.",
        ),
    },
)

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


@LAB.check("what frame makes, feed gives back, whatever the bytes are", points=2)
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


@LAB.check("a frame that arrives in pieces comes out once it is whole", points=3, after=("together",))
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


@LAB.check("a simulated cluster speaks it, however its network cuts the bytes", points=3, after=("in-pieces",))
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(framing=mine.Framing, conditions=Conditions(cut=0.5, joined=0.5)) as cluster,
    ):
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")


@LAB.check("a cluster of real processes speaks it, before and after each was restarted", points=3, after=("apart",))
def real(mine: Mine, trial: Trial) -> None:
    with blamed("cluster", "in the real cluster"), trial.local(framing=mine.Framing, clients=1) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")
