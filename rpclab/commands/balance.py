"""`rpclab balance`: copies move from the fullest server to the emptiest."""

from __future__ import annotations

import time
from typing import Any

import click

from ..client.session import Client
from ..errors import RpclabError
from ..text import bytes_text, counted
from .outcomes import Interrupted
from .output import Exit, Output, json_option
from .reach import Reach, reach_options

__all__ = ["balance"]

_POLL_S = 0.2


@click.command(short_help="Even out what the servers store.")
@click.option(
    "--ratio", type=click.FloatRange(1), default=1.2, help="the fullest server's bytes over the emptiest's [1.2]"
)
@click.option("--no-wait", is_flag=True, help="do not wait for the end; rpclab status shows how far it is")
@reach_options
@json_option
def balance(out: Output, reach: Reach, ratio: float, no_wait: bool) -> int:
    """Even the servers out: move copies from the fullest to the emptiest.

    It ends when the fullest stores no more than RATIO times what the emptiest does, or when no move would bring them nearer. A
    copy is made and read again before the old one goes, so there are never fewer than before; and it is held back to the speed of
    repairs. Ctrl-C ends the waiting, not the moving.
    """
    with reach.session("looking") as session:
        _wait_until_ready(out, session)
        before = _stored(session)
        began = bool(session.manager.balance(ratio))
        if not began:
            out.problem("the servers are being evened out already")
        if no_wait:
            out.document(Exit.ALL_HELD, began=began, before=before)
            out.line("Evening out has begun: rpclab status shows how far it is.")
            return Exit.ALL_HELD
        told = _wait(out, session)
        after = _stored(session)
    state = Exit.ALL_HELD if _ratio(after) <= told["ratio"] else Exit.FAILED
    out.document(state, began=began, ratio=told["ratio"], before=before, after=after, **_facts(told))
    rows = [[node, bytes_text(before.get(node, 0)), bytes_text(size)] for node, size in after.items()]
    out.table(["server", "before", "after"], rows, right=["before", "after"])
    out.line(f"{counted(told['moved'], 'file')}, {bytes_text(told['moved_bytes'])} moved.")
    out.line(f"The fullest server stores {_text(_ratio(after))} times what the emptiest does.")
    if state is not Exit.ALL_HELD:
        out.problem(f"{_text(told['ratio'])} was wanted: {told['reason']}")
    return state


def _wait_until_ready(out: Output, session: Client) -> None:
    """A manager that has just started does not know yet what is where. Errors: Interrupted."""
    told = False
    try:
        while session.manager.getUpkeep()["safe_mode"]:
            if not told:
                out.problem("waiting until the new manager knows its servers, 30 s at most")
            told = True
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        raise Interrupted("nothing was moved yet") from None


def _wait(out: Output, session: Client) -> dict[str, Any]:
    """Until it is over. Errors: Interrupted, RpclabError."""
    shown = 0
    try:
        while True:
            told = session.manager.getUpkeep()["balance"]
            if told is None:
                raise RpclabError("the manager was started again meanwhile: say rpclab balance once more")
            if told["moved"] > shown and not out.as_json:
                shown = told["moved"]
                click.echo(f"{counted(shown, 'file')}, {bytes_text(told['moved_bytes'])} moved so far", err=True)
            if told["over"]:
                return dict(told)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        raise Interrupted("the manager goes on moving; rpclab status shows how far it is") from None


def _facts(told: dict[str, Any]) -> dict[str, Any]:
    return {key: told[key] for key in ("moved", "moved_bytes", "reason")}


def _stored(session: Client) -> dict[str, int]:
    return {server.node: server.stored_bytes for server in session.list_servers()}


def _ratio(stored: dict[str, int]) -> float:
    most, least = max(stored.values(), default=0), min(stored.values(), default=0)
    return most / least if least else (1.0 if not most else float("inf"))


def _text(ratio: float) -> str:
    return f"{ratio:.2f}"
