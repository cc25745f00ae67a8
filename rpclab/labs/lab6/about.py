"""What lab 6 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

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
