"""A cluster's certificates in a folder: who a node is by its name, and its files, seen to be good before it starts.

    FOLDER/ca.pem       the authority's certificate: every node needs it
    FOLDER/ca.key       the authority's key: who has it can make nodes, so it stays with the person who runs the cluster
    FOLDER/NODE.pem     a node's certificate
    FOLDER/NODE.key     and its key: this node needs it, nobody else may have it

To make them takes the package `cryptography` (authority.py); to use them takes Python alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
from types import ModuleType
from typing import get_args

from .errors import NameRefused, UsageError
from .names import check_client
from .rpc.handshake import Role
from .world.real_certificates import Certificates, Contexts

__all__ = ["authority", "certificates_of", "made_if_missing", "node_and_role"]

_ROLES: tuple[Role, ...] = get_args(Role)


def node_and_role(text: str) -> tuple[str, Role]:
    """The node and role in `ROLE:NODE`; of a name alone, manager... and server... are what they say, all others clients.

    Errors: UsageError.
    """
    given, colon, node = text.rpartition(":")
    try:
        node = check_client(node)
    except NameRefused as error:
        raise UsageError(error.message) from None
    if node.casefold() == "ca":
        raise UsageError("a node cannot be called ca: that is the authority's name")
    for role in _ROLES:
        if given == role or (not colon and node.startswith(role)):
            return node, role
    if colon:
        raise UsageError(f"{text!r}: {given!r} is no role; choose {', '.join(_ROLES)}")
    return node, "client"


def certificates_of(folder: str | os.PathLike[str], node: str, role: Role) -> Certificates:
    """The files of a node, seen to be usable and to prove its name and role. Errors: UsageError."""
    files = Certificates.in_folder(folder, node)
    proved = Contexts(files).certified()
    if f"{role}/{node}" not in proved:
        raise UsageError(
            f"{files.certificate} is the certificate of {' and '.join(sorted(proved)) or 'nobody'}, not of {role}/{node}"
        )
    return files


def made_if_missing(folder: str | os.PathLike[str], node: str, role: Role) -> Certificates:
    """`certificates_of`, made now if the node has none and the authority's key lies there. Errors: UsageError."""
    place = pathlib.Path(folder)
    if (place / "ca.key").exists() and not (place / f"{node}.pem").exists():
        with contextlib.suppress(FileExistsError):  # another process has just made it
            authority().issue(place, [(node, role)])
    return certificates_of(folder, node, role)


def authority() -> ModuleType:
    """authority.py, which makes certificates; raises UsageError where the package that it takes is not installed."""
    try:
        return importlib.import_module("rpclab.authority")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "cryptography":
            raise
        raise UsageError(
            "making certificates takes the package cryptography, which is not installed: pip install cryptography"
        ) from None
