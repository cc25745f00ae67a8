"""What lab 5 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

__all__ = ["LAB"]

LAB = Lab(
    "lab5",
    "Replication: another copy, and the truth about it",
    needs={"replicate": "function replicate(count, route, copy, more) -> servers that have a copy"},
    ours=("rpclab.server",),
    minutes=75,
    lines=15,
    faults={
        "claims": Hint(
            "When do you know that a server has a copy?",
            "Look at when a server gets onto the list that you give back.",
            "A server is given back that has no copy: the client is told of a copy that there is not.",
        ),
        "forgets": Hint(
            "Does the client hear of every copy that was made?",
            "Look at what you give back, and compare it with the calls of copy that returned.",
            "A copy was made and is not given back.",
        ),
        "no-servers": Hint(
            "What does your function give back: how many, which names, or the servers?",
            "Look at what you put onto the list, and at every return.",
            "What comes back is not a list of the servers themselves, those that copy was called with.",
        ),
        "counts-twice": Hint(
            "How many different servers have a copy?",
            "Look at how often a server gets onto the list that you give back.",
            "One server is given back twice: the client is told of two copies, and there is one.",
        ),
        "short-route": Hint(
            "Has the route always as many servers as copies are wanted?",
            "Look for route with a number in brackets.",
            "The route may be shorter than count, or empty: there is no server at that place.",
        ),
        "own-threads": Hint(
            "Whose threads send the copies in the simulated world?",
            "Look at your imports: one copy after the other is what is asked for.",
            "Python's own threads are used: the simulated world does not know them, and copy does not work there.",
        ),
        "too-few": Hint(
            "How many other servers are to have a copy? Does the one that your code runs on count?",
            "Compare the number of copies with count.",
            "Fewer copies are made than count, though servers are there: count is the number of the other servers.",
        ),
        "too-many": Hint(
            "When are there enough copies?",
            "Look at where your loop ends.",
            "More copies are made than count.",
        ),
        "lets-errors-out": Hint(
            "A server dies while you send to it. What should happen with the others?",
            "Look at what your function does when copy raises.",
            "An error of copy ends your function, and with it the copies that were still to be made.",
        ),
        "gives-up": Hint(
            "The server that was chosen failed. Is the file lost?",
            "You have been given a way to get other servers.",
            "When a server fails no other one is asked for.",
        ),
        "asks-once": Hint(
            "And if the other server fails too?",
            "Look at how often more is called, and with which number.",
            "Other servers are asked for only once: when they fail as well, copies are missing though there are servers left.",
        ),
        "twice": Hint(
            "What does it help to ask a server again that has just failed, or has a copy already?",
            "Look at which servers copy was called with.",
            "The same server is sent the file twice.",
        ),
        "never-ends": Hint(
            "What if there is no server left at all?",
            "Look at what your loop does when more gives back an empty list.",
            "With no server left your function goes on for ever.",
        ),
        "asks-for-more": Hint(
            "Each server that more gives you has room reserved for the file. Do you need it?",
            "Look at when more is called, and with which number.",
            "Servers are asked for that are not needed: room is reserved there for nothing.",
        ),
        "order": Hint(
            "In which order does the manager want the copies to be made?",
            "Look at how you go through route.",
            "The servers of the route are not tried in their order.",
        ),
        "cluster": Hint(
            "Is what the receipt says true of the disks?",
            "Run this check alone; the judge's words name the file and the server.",
            "In a cluster your function makes the wrong copies, or says the wrong thing of them.",
        ),
    },
)
