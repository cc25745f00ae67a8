"""What a space-time diagram says in words: of one message to who points at it, of all to who cannot see it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from ..study.spacetime import SpaceTime
from ..study.spacetime_faults import Interval
from ..study.spacetime_messages import Message, Transfer
from ..text import bytes_text
from ..trace import Event

__all__ = [
    "description",
    "fault_hover",
    "label_of",
    "lines",
    "message_hover",
    "moment_hover",
    "seconds",
    "transfer_hover",
]

_KINDS = {"packets": "part of a file", "reply": "answer"}
_MOST = 600  # letters of a message's text that are shown to who points at it
_FATES = {
    "lost": "never received",
    "under way": "not received so far",
    "unknown": "whether it was received is not known: the receiver wrote no log",
    "again": "received once more",
}


def seconds(time: float) -> str:
    """A time, or a difference, as precise as it is small."""
    size = abs(time)
    if size < 0.001:
        return f"{time * 1e6:.0f} µs"
    return f"{time * 1000:.3g} ms" if size < 0.1 else f"{time:.3g} s" if size < 100 else f"{time:.0f} s"


def label_of(message: Message) -> str:
    """What stands beside an arrow."""
    if message.kind == "packets":
        return f"{message.copy} {bytes_text(message.bytes)}"
    if message.kind == "error":
        return f"{message.method}: error" if message.method else "error"
    return "reply" if message.kind == "reply" else message.method or message.kind


def message_hover(message: Message, start: float) -> str:
    """Kind, method, call, bytes, when it was sent and received, Lamport times, and its text where the log has it."""
    if message.kind == "packets":
        head = f"packets of {message.file} ({message.copy}), {bytes_text(message.bytes)}"
    else:
        call = f", call {message.call}" if message.call != "" else ""
        head = f"{message.kind} {message.method}{call}, {message.bytes:,} bytes"
    said = [f"{message.sender} to {message.receiver}: {head}"]
    for what, event in (("sent", message.sent), ("received", message.received)):
        if event is not None:
            said.append(
                f"{what} at {event.time - start:.6f} s, Lamport {event.lamport}, event {event.number} of {event.node}"
            )
    if message.sent is not None and message.received is not None:
        said.append(f"under way for {seconds(message.received.time - message.sent.time)}")
    for event in message.staged:
        how = ", ".join(f"{key} {value}" for key, value in event.detail.items() if key != "sent")
        said.append(f"{event.kind} by the stage at {event.time - start:.6f} s{f' ({how})' if how else ''}")
    if message.fate in _FATES:
        said.append(_FATES[message.fate])
    said += [text for event in message.events for text in _detail(event)][:1]
    return "\n".join(said)


def _detail(event: Event) -> list[str]:
    if not event.detail:
        return []
    text = event.detail.get("text") or json.dumps(event.detail, indent=1, ensure_ascii=False, default=str)
    return [text if len(text) <= _MOST else f"{text[:_MOST]} ..."]


def transfer_hover(transfer: Transfer, start: float) -> str:
    packets = len(transfer.packets)
    times = [event.time - start for event in transfer.events]
    said = [
        f"{transfer.sender} to {transfer.receiver}: {transfer.file} ({transfer.copy})",
        f"{bytes_text(transfer.sent_bytes)} sent, {bytes_text(transfer.received_bytes)} received, "
        f"in {packets:,} part{'s' * (packets != 1)}",
        f"from {min(times):.6f} s to {max(times):.6f} s",
    ]
    if transfer.failed:
        said.append("a part never arrived")
    return "\n".join(said)


def moment_hover(event: Event, start: float) -> str:
    about = " ".join(part for part in (event.kind, event.file, event.peer and f"({event.peer})") if part)
    size = f", {bytes_text(event.bytes)}" if event.bytes else ""
    said = [
        f"{event.node}: {about}{size}",
        f"at {event.time - start:.6f} s, Lamport {event.lamport}, event {event.number}",
    ]
    return "\n".join([*said, *_detail(event)])


def fault_hover(interval: Interval, start: float) -> str:
    until = f"to {interval.end - start:.3f} s ({interval.ended.kind})" if interval.ended else "to the end"
    how = "".join(f", {text}" for text in _how(interval.began))
    return f"{interval.node}: {interval.what} from {interval.start - start:.3f} s ({interval.began.kind}) {until}{how}"


def _how(event: Event) -> Iterator[str]:
    """What the event that began a fault says of it."""
    detail = event.detail
    if detail.get("power"):
        yield "its machine lost its power"
    if detail.get("others"):
        yield f"{'to' if detail.get('one_way') else 'from'} {', '.join(map(str, detail['others']))}"
    if detail.get("latency_s"):
        yield f"{seconds(float(detail['latency_s']))} later"
    if detail.get("bytes_s"):
        yield f"{bytes_text(float(detail['bytes_s']))}/s"
    if "free_bytes" in detail:
        yield f"{bytes_text(float(detail['free_bytes']))} free"
    if detail.get("share"):
        yield f"{detail['share']:.0%} of its syncs"


def description(scene: SpaceTime) -> str:
    """The picture in a few sentences."""
    start = scene.history.start
    said = [f"{_counted(len(scene.nodes), 'node')}: {', '.join(scene.nodes) or 'none'}."]
    kinds = Counter(message.kind for message in scene.messages)
    many = ", ".join(_counted(count, _KINDS.get(kind, kind)) for kind, count in kinds.items())
    said.append(
        f"{_counted(len(scene.messages), 'message')} from {scene.start - start:.3f} s to {scene.end - start:.3f} s"
    )
    said[-1] += f" ({many})." if many else "."
    if scene.transfers:
        said.append(f"{_counted(len(scene.transfers), 'file')} sent from node to node.")
    failed = sum(each.failed for each in scene.messages) + sum(each.failed for each in scene.transfers)
    if failed:
        said.append(f"{failed:,} of them failed.")
    said += [f"{fault_hover(interval, start)}." for interval in scene.faults[:12]]
    if len(scene.faults) > 12:
        said.append(f"And {len(scene.faults) - 12:,} more faults.")
    return " ".join([*said, *scene.left_out])


def lines(scene: SpaceTime) -> list[str]:
    """Everything that is drawn, a line each, in the order of time."""
    start = scene.history.start
    said: list[tuple[float, str]] = []
    for message in scene.messages:
        fate = f" ({_FATES[message.fate].partition(':')[0]})" if message.fate in _FATES else ""
        what = f"{message.kind} {message.method or message.file}".strip()
        text = f"{message.sender} -> {message.receiver}  {what}, {bytes_text(message.bytes)}{fate}"
        said.append((message.first.time, text))
    for transfer in scene.transfers:
        part = "" if not transfer.failed else f", of which {bytes_text(transfer.received_bytes)} arrived"
        text = f"{transfer.sender} -> {transfer.receiver}  {transfer.file} ({transfer.copy}), "
        said.append((transfer.first.time, f"{text}{bytes_text(transfer.sent_bytes or transfer.received_bytes)}{part}"))
    for event in scene.moments:
        said.append(
            (event.time, " ".join(filter(None, (f"{event.node}:", event.kind, event.method or event.file, event.peer))))
        )
    for interval in scene.faults:
        said.append((interval.start, fault_hover(interval, start)))
    said.sort(key=lambda pair: pair[0])
    return [f"{time - start:10.4f} s  {text}" for time, text in said] + scene.left_out


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    several = what.replace("part", "parts", 1) if what.startswith("part ") else what + "s"
    return f"{count:,} {several}"
