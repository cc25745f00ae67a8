"""What lab 8 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

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
