"""Every limit, time-out and default, each with its unit and the reason for its value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ACKNOWLEDGE",
    "BATCH_PACKETS",
    "DEFAULT_HOST",
    "MANAGER_PORT",
    "PACKET_BYTES",
    "PACKET_HEADER_BYTES",
    "PROTOCOL_VERSION",
    "REPLICATION",
    "SECRET_BYTES",
    "SERVER_PORTS",
    "Address",
    "Limits",
    "address_from_text",
    "address_text",
    "is_loopback",
]

Address = tuple[str, int]
"""Host and port, as in ("127.0.0.1", 65432)."""

DEFAULT_HOST = "127.0.0.1"
MANAGER_PORT = 65432
SERVER_PORTS = (65433, 65434, 65435)

REPLICATION = ("after", "pipeline")  # store, then copy; or copy while it arrives
ACKNOWLEDGE = ("all", "primary")  # once every copy is durable; or the first one

PROTOCOL_VERSION = 1
SECRET_BYTES = 32  # what HMAC-SHA256 can use in full
PACKET_BYTES = 65_536  # the description's packet size, 64 KiB
PACKET_HEADER_BYTES = 4  # one byte kind, three bytes length
BATCH_PACKETS = 16  # packets a system call: at 1 MiB a call, sending costs what a plain copy loop costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a node puts up with. Times are seconds, None is "no limit"."""

    call_s: float = 10.0  # an answer that takes longer than a classroom waits
    connect_s: float = 5.0
    handshake_s: float = 5.0  # from the first byte to the last, whatever trickles in between
    packet_s: float = 10.0  # from a packet's first byte to its last
    stop_s: float = 5.0  # how long a clean stop waits for what is under way
    transfer_s: float = 60.0  # waiting for the other end between two packets of a file, and for its disk's sync
    idle_s: float | None = None  # between two requests: a person may think
    heartbeat_s: float = 1.0  # between a server's signs of life
    retry_s: float = 0.1  # between two attempts to reach the manager
    patience_s: float = 3.0  # how long a call is tried again while its peer is away: a restart of the manager takes one
    reservation_s: float = 120.0  # bytes handed out but never stored count for this long
    connections: int = 1024  # a thread each: about 150 KiB of real memory
    handshake_bytes: int = 1024  # a stranger gets no more than this read
    nesting: int = 64  # levels of lists and objects in one message
    outcomes: int = 4096  # uploads whose outcome a server can still tell
    once: int = 4096  # calls whose outcome a node can tell again: many more than come within anybody's patience
    once_bytes: int = 4 * 1024 * 1024  # what these may take in all: a kilobyte each, much more than most
    page: int = 200  # files a page of a listing: 255-byte names still fit one message


def address_text(address: Address) -> str:
    """An address as `IP:PORT`, the key that the description uses."""
    return f"{address[0]}:{address[1]}"


def is_loopback(address: Address) -> bool:
    """Whether only this machine can be at that address."""
    if address[0] in ("127.0.0.1", "localhost"):
        return True
    import ipaddress  # here, not above: each import counts in a node's start

    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False  # some other name, such as 127.0.0.1.example.com


def address_from_text(text: str, *, default_port: int = MANAGER_PORT) -> Address:
    """The address in `HOST:PORT` or `HOST`; raises ValueError with what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, default_port
    if not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} has no port from 0 to 65535 after the colon")
    return host or DEFAULT_HOST, int(port)
