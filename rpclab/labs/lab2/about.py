"""What lab 2 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

__all__ = ["LAB"]

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
