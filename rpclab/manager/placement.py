"""The placement policies: pure functions that pick one server for a file, and the table that names them.

A policy is any function of three arguments, so a student's own stands beside the ones below:

    def mine(servers, request, random):
        return min(servers, key=lambda s: s.stored_bytes)

`servers` are those that may be chosen (never empty, in order of node name), `request` says what is to be stored, and
`random` is the only source of chance, so that the same seed gives the same decisions. It returns one of the servers.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from blake3 import blake3

from ..config import address_text
from ..errors import PlacementError, UsageError, error_text
from ..records import ServerRecord
from .candidates import Candidates, load, rank

if TYPE_CHECKING:
    import random

__all__ = [
    "POLICIES",
    "SCATTER",
    "Policy",
    "Request",
    "Servers",
    "TookTooLong",
    "copyset_groups",
    "copysets",
    "decide",
    "fewest_bytes",
    "load",
    "policy_named",
    "policy_text",
    "random_server",
    "rendezvous",
    "round_robin",
    "two_choices",
]


SCATTER = 10  # partners of a server with `copysets`: enough to share a repair; Facebook's HDFS has as many


@dataclass(frozen=True, slots=True)
class Request:
    """What a decision is for: a file as "client/name" ("" if nobody said), its bytes, the decisions made so far; how many
    copies it is to have, and the names of the servers that have one or were chosen before."""

    file: str
    size: int
    number: int
    copies: int = 1
    beside: tuple[str, ...] = ()


class TookTooLong(Exception):
    """What a watched policy raises in place of an answer that came too late; `decide` says whose it was."""


Servers = Sequence[ServerRecord]
Policy = Callable[[Servers, Request, "random.Random"], ServerRecord]
"""Picks one of the servers. A student's may as well return the server's address or its node's name: see `decide`."""


def fewest_bytes(servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """The description's rule: the server with the fewest bytes, stored and reserved together.

    Of equals, the one with fewer files; of those, the first by node name. From empty, with exact knowledge and no
    deletes, the fullest server is never ahead of the emptiest by more than the largest file.
    """
    return servers.fewest() if isinstance(servers, Candidates) else min(servers, key=rank)


def random_server(servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """Any server, each with the same chance: needs no knowledge at all.

    Of n files on n servers the fullest gets about ln n / ln ln n (Azar, Broder, Karlin, Upfal 1999).
    """
    return random.choice(servers)


def round_robin(servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """Each server in its turn: as many files everywhere, however large they are."""
    return servers.turn(request.number) if isinstance(servers, Candidates) else servers[request.number % len(servers)]


def two_choices(servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """Two different servers at random, and of those the one with fewer bytes (Azar, Broder, Karlin, Upfal 1999).

    Of n files on n servers the fullest gets only about ln ln n / ln 2. It also bears old knowledge well, where the rule
    of the fewest bytes makes everybody run to the same server (Mitzenmacher 2000). The 1999 paper draws the two
    independently, so now and then the same one twice; with three servers that would be every third time.
    """
    return min(random.sample(servers, min(2, len(servers))), key=rank)


def rendezvous(servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """The server whose name, hashed with the file's, gives the highest number (Thaler, Ravishankar 1998).

    Everybody who knows the servers finds the same one, with no directory; one server more takes over 1 / (n + 1) of the
    files and moves no other. It hashes every server's name, O(n): about 1 µs each, 0.1 s for 100,000 servers.
    The same file always goes to the same server, so requests that name no file do too.
    """
    return max(servers, key=lambda server: blake3(f"{server.node}\0{request.file}".encode()).digest())


def copysets(servers: Servers, request: Request, random: random.Random, *, scatter: int = SCATTER) -> ServerRecord:
    """The first copy on any server, the others in its group: few sets of servers hold files together (Cidon et al. 2013).

    When many servers die at once, a file is lost only if they include a whole group. The servers are put in as many
    random orders as give each of them about `scatter` partners, and each order is cut into groups of one copy each
    (`copyset_groups`); a file's name says which order is its own. A server that joins or leaves moves groups, so that
    a cluster that changes often uses more of them. It hashes every server's name, O(n), as rendezvous does.
    """
    if not request.beside:
        return random.choice(servers)
    nodes = {server.node for server in servers}
    orders = max(1, -(-scatter // max(1, request.copies - 1)))
    number = int.from_bytes(blake3(request.file.encode()).digest(8), "big") % orders
    beside = set(request.beside)
    groups = copyset_groups(nodes | beside, request.copies, number)
    place = max(range(len(groups)), key=lambda index: len(beside.intersection(groups[index])))
    wanted = next(node for group in (*groups[place:], *groups[:place]) for node in group if node in nodes - beside)
    return next(server for server in servers if server.node == wanted)


def copyset_groups(nodes: Iterable[str], copies: int, number: int) -> list[list[str]]:
    """One random order of the servers, the same for everybody who knows their names, cut into groups of `copies`.

    What is left over joins the last group.
    """
    order = sorted(nodes, key=lambda node: (blake3(f"{number}\0{node}".encode()).digest(), node))
    count = max(1, len(order) // copies)
    return [order[index * copies : None if index == count - 1 else (index + 1) * copies] for index in range(count)]


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "fewest-bytes": fewest_bytes,
        "random": random_server,
        "round-robin": round_robin,
        "two-choices": two_choices,
        "rendezvous": rendezvous,
        "copysets": copysets,
    }
)


def policy_named(name: str) -> Policy:
    """The policy of that name; raises UsageError, which lists the names."""
    try:
        return POLICIES[name]
    except KeyError:
        raise UsageError(f"there is no placement policy {name!r}; there are: {', '.join(POLICIES)}") from None


def policy_text(policy: Policy) -> str:
    """What to call a policy in a text for people."""
    return getattr(policy, "__name__", None) or reprlib.repr(policy)


def decide(policy: Policy, servers: Servers, request: Request, random: random.Random) -> ServerRecord:
    """What the policy picks, checked: one of `servers`, whatever way a student's function says so.

    It may return the ServerRecord, its address as ("127.0.0.1", 65433) or "127.0.0.1:65433", or its node's name. Raises
    PlacementError, which names the function and says what it returned, or which exception it raised.
    """
    name = policy_text(policy)
    try:
        answer: object = policy(servers, request, random)
    except KeyboardInterrupt:
        raise
    except TookTooLong as error:
        raise PlacementError(f"the placement policy {name} {error}") from None
    except (
        BaseException
    ) as error:  # it may be anybody's function: whatever goes wrong there, also sys.exit(), is theirs to read
        raise PlacementError(
            f"the placement policy {name} raised {type(error).__name__}: {error_text(error)}"
        ) from error
    server = _server_meant(answer, servers)
    if server is None:
        raise PlacementError(
            f"the placement policy {name} returned {_description(answer)}, which is none of the {len(servers)} servers "
            "it may choose from: it must return one of them, or its address, or its node's name"
        )
    return server


def _server_meant(answer: object, servers: Servers) -> ServerRecord | None:
    if isinstance(answer, ServerRecord):
        return answer if answer in servers else None
    if isinstance(answer, list | tuple):
        return next((server for server in servers if server.address == tuple(answer)), None)
    if isinstance(answer, str):
        return next((server for server in servers if answer in (server.node, address_text(server.address))), None)
    return None


def _description(answer: object) -> str:
    if isinstance(answer, ServerRecord):
        return f"the server {answer.node} at {address_text(answer.address)}"
    return (
        f"{reprlib.repr(answer)} (a {type(answer).__name__})" if answer is not None else "None (is there a `return`?)"
    )
