"""What a manager knows, as plain values: for people who look at it, not for other nodes."""

from __future__ import annotations

from typing import Any

from ..config import address_text
from ..records import file_key
from .directory import Directory

__all__ = ["look"]


def look(directory: Directory, most: int) -> dict[str, Any]:
    """Servers, files and reservations, of each the first `most`."""
    servers = directory.servers()
    nodes = {server.address: server.node for server in servers}
    return {
        "servers": {
            server.node: {
                "files": server.files,
                "stored_bytes": server.stored_bytes,
                "reserved_bytes": server.reserved_bytes,
            }
            for server in servers[:most]
        },
        "suspected": [server.node for server in servers if directory.is_suspected(server.address)][:most],
        "files": {
            file_key(location.file.client, location.file.name): {
                "version": location.file.version,
                "servers": sorted(server.node for server in location.servers),
            }
            for location in directory.files(None, None, most)
        },
        "reservations": {
            file_key(*file): {nodes.get(address, address_text(address)): size for address, size in promised.items()}
            for _, file, promised in directory.reservations.uploads()[:most]
        },
    }
