"""What a stepper's page shows of a place, as plain values: its messages, its nodes, the way there, and the picture of it."""

from __future__ import annotations

import html
import time
from typing import Any

from ..cluster.messages import Message
from ..cluster.places import Place
from ..cluster.steps import Steps
from ..errors import RpclabError
from ..study.history import History

__all__ = ["facts_of", "here", "message_row", "node_card", "picture", "targets", "way"]

_BYTES_SHOWN = 2048  # of a message; any byte can be named
_LINES_SHOWN = 14  # of what a node knows, and all that has changed
_LAST = 40  # events in the picture
_WIDTH = 600  # points of it; the page makes it as wide as there is room
_PLACES_SHOWN = 400
_METHODS = ("placeFile", "sendFilename", "updateServer", "confirmFile")  # of a backup, before any was seen


def message_row(message: Message) -> dict[str, Any]:
    sent = message.sent
    left = message.left_s
    return {
        "id": message.id,
        "from": message.sender,
        "to": message.receiver,
        "kind": message.kind,
        "method": message.method,
        "bytes": message.length,
        "meaning": message.meaning,
        "json": message.json,
        "hex": message.payload[:_BYTES_SHOWN].hex(),
        "left": None if left is None else round(left, 3),
        "sent": f"{sent[0]} {sent[1]}" if sent else "",
    }


def node_card(place: Place, node: str, role: str) -> dict[str, Any]:
    """A node beside the others: what it knew, what has changed first of all that is left out."""
    facts = [fact for fact in place.facts(node) if fact.part not in ("state", "problem")]
    found = place.found[node]
    before = place.parent.found.get(node, {}).get("state", "") if place.parent is not None else found["state"]
    shown, room = [], _LINES_SHOWN
    for fact in facts:
        if fact.change or room > 0:
            shown.append([fact.part, fact.name, fact.value, fact.before, fact.change])
            room -= 1
    return {
        "name": node,
        "role": role,
        "state": found["state"],
        "changed": before != found["state"] or any(fact.change for fact in facts),
        "problem": found.get("problem", ""),
        "facts": shown,
        "more": len(facts) - len(shown),
    }


def facts_of(place: Place, nodes: list[str]) -> list[str]:
    """What the last step has changed, a line each."""
    return [f"{node}: {fact}" for node in nodes for fact in place.facts(node) if fact.change]


def way(steps: Steps) -> list[dict[str, Any]]:
    """The tree of what was tried; of a very long one what is near."""
    every = steps.tree()
    at = next(number for number, (_, place) in enumerate(every) if place is steps.here)
    first = max(0, min(at - _PLACES_SHOWN // 2, len(every) - _PLACES_SHOWN))
    path = set()
    place: Place | None = steps.here
    while place is not None:
        path.add(place.id)
        place = place.parent
    return [
        {
            "id": place.id,
            "level": level,
            "step": place.depth,
            "words": place.words,
            "seconds": round(place.seconds, 4),
            "fork": place.parent is not None and min(each.id for each in place.parent.children) != place.id,
            "here": place is steps.here,
            "path": place.id in path,
        }
        for level, place in every[first : first + _PLACES_SHOWN]
    ]


def here(steps: Steps) -> dict[str, Any]:
    """Where one stands, and what can be done from here."""
    place = steps.here
    last = place is max(steps.places.values(), key=lambda each: each.id)
    return {
        "id": place.id,
        "step": place.depth,
        "words": place.words,
        "seconds": round(place.seconds, 4),
        "events": place.events,
        "operations": place.operations,
        "back": place.parent is not None,
        "forward": bool(place.children),
        "forks": steps.forks,
        "acts": steps.forks or last,
        "shown": time.time(),
    }


def targets(place: Place, history: History) -> list[list[str]]:
    """Where one can run to, as [what and name, words]."""
    known = sorted({*_METHODS, *(event.method for event in history)} - {"", "heartbeat"})
    return [
        ["end", "the end of what was begun"],
        *([f"node {node}", f"a message to {node}"] for node in place.found),
        *([f"method {method}", method] for method in known),
        ["error", "an answer that is an error"],
    ]


def picture(root: Place, history: History) -> str:
    """The space-time diagram from where stepping began, as HTML; a sentence where it cannot be drawn."""
    sent = {message.sent for message in root.messages}
    began = [event.time - history.start for event in history if (event.node, event.number) in sent]
    try:
        from ..plots import diagram

        return diagram(history, from_s=min([root.seconds, *began]), last=_LAST, width=_WIDTH)._repr_html_()
    except (ImportError, RpclabError) as error:
        return f"<p>No picture: {html.escape(str(error))}</p>"
