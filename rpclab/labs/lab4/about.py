"""What lab 4 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

__all__ = ["LAB"]

LAB = Lab(
    "lab4",
    "Placement: which server gets the file?",
    needs={"choose": "function choose(servers, request, random) -> one of the servers"},
    ours=("rpclab.manager", "rpclab.study"),
    minutes=60,
    lines=10,
    faults={
        "none-of-them": Hint(
            "What does choose give back, and is it one of the servers it was given?",
            "Look at every return of your function, also at the end of it.",
            "What comes back is not one of the servers (nor its address, nor its node's name).",
        ),
        "one-server": Hint(
            "What if there is only one server to choose from?",
            "Look for an index, a sample or a second element that then is not there.",
            "With a single server your function fails.",
        ),
        "fullest": Hint(
            "Is it the server with the most bytes that needs more?",
            "Read your comparison once more.",
            "The fullest server is chosen where the emptiest should be.",
        ),
        "counts-files": Hint(
            "Are a thousand files of one byte more than one file of a gigabyte?",
            "Look at which field of a server you compare.",
            "Servers are compared by the number of their files, not by their bytes.",
        ),
        "ignores-stored": Hint(
            "A server holds a terabyte, and nothing more is promised to it. Is it empty?",
            "Look at which fields of a server you compare.",
            "Only the promised bytes are compared: what is stored already does not count.",
        ),
        "subtracts": Hint(
            "Does a promise make a server fuller, or emptier?",
            "Look at the sign in front of reserved_bytes.",
            "Promised bytes are taken off the stored ones, though they come on top of them.",
        ),
        "not-all": Hint(
            "Could the emptiest server be one that you did not look at?",
            "Look for a sample, a slice or a loop that ends early.",
            "Only some of the servers are compared, so the emptiest one is often not among them.",
        ),
        "no-quota": Hint(
            "What is quota_bytes of a server that has no limit?",
            "The notebook says what quota_bytes may be, beside a number.",
            "quota_bytes is None for a server without a limit, and you compute with it.",
        ),
        "always-the-same": Hint(
            "Does the answer depend on how much each server holds?",
            "Try it with two servers, and change which of them holds more.",
            "The choice does not look at the bytes: it goes by place, name or chance.",
        ),
        "ignores-reserved": Hint(
            "Ten files are on their way to the emptiest server. Where should the eleventh go?",
            "A server has stored_bytes, and it has been promised more: look at its other fields.",
            "Bytes that are promised and not yet reported do not count: whoever comes meanwhile is sent to the same server.",
        ),
        "own-chance": Hint(
            "Could somebody repeat your run exactly?",
            "Look for chance or time that does not come from the argument `random`.",
            "Twice the same arguments and the same seed gave two answers: chance or a clock of your own decides.",
        ),
        "remembers": Hint(
            "The manager is killed and started again. What does your function know then?",
            "Look for global variables, default arguments and attributes that your function changes.",
            "The answer depends on calls before it: what is kept in memory is gone after a restart.",
        ),
        "changes-its-arguments": Hint(
            "Whose list of servers is it?",
            "Look for sort, pop, remove, append on what you were given.",
            "It changes the list of servers that it was given to look at.",
        ),
        "slow": Hint(
            "How many steps does one choice take when there are n servers?",
            "Look for a loop within a loop, and for copies made in a loop.",
            "With 1,000 servers one choice takes many times as long as looking at each server once.",
        ),
        "gap": Hint(
            "What did your function know at the moment of each decision?",
            "Look at the last decisions in the event log: `cluster.history.of('placed')`.",
            "In the end the fullest server is ahead of the emptiest by more than the largest file.",
        ),
        "cluster": Hint(
            "Does your function do in the manager's process what it does here?",
            "Read what the manager said: the check's output holds it.",
            "With your function a cluster could not place files.",
        ),
    },
)
