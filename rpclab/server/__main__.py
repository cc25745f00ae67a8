"""`python -m rpclab.server 1`: a server as a process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..config import MANAGER_PORT, Limits
from ..errors import UsageError
from ..options import counting, parser, size
from ..running import Running, data_folder, run
from .manager_link import DocumentManagerLink
from .service import Server

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    options = _options().parse_args(arguments)
    node = f"server{options.number}" if options.node is None else options.node
    port = MANAGER_PORT + options.number if options.port is None else options.port
    if port > 65535:
        raise UsageError(
            f"server {options.number} has no port by its number, {port} is too much: give it one with --port"
        )
    running = Running(options, node, "server")
    manager = running.manager_address()
    folder = options.folder or f"{data_folder(options.data)}/servers/{node}"
    document = options.manager_wire == "document"
    server = Server(
        running.world,
        running.identity,
        folder.replace("\\", "/"),
        manager,
        quota_bytes=options.quota_bytes,
        tracer=running.tracer,
        document_wire=options.document_wire,
        link=DocumentManagerLink(running.world, manager, running.tracer, Limits(), running.say) if document else None,
        say=running.say,
        show_messages=running.show_messages,
    )
    return running.serve(server, (options.host, port), folder=folder, quota_bytes=options.quota_bytes)


def _options() -> argparse.ArgumentParser:
    options = parser("rpclab.server", "A server: stores files, copies them to other servers, gives them back.")
    options.add_argument(
        "number", type=counting, nargs="?", default=1, help="1, 2 or 3: gives its name, port and folder (default: 1)"
    )
    options.add_argument("--node", help="this node's name (default: server and its number)")
    options.add_argument("--folder", help="its folder (default: servers/NODE in the data folder)")
    options.add_argument("--manager", default=f"127.0.0.1:{MANAGER_PORT}", help="the manager's HOST:PORT")
    options.add_argument(
        "--manager-file", help="the file that the manager writes once it is ready, instead of --manager"
    )
    options.add_argument(
        "--manager-wire", choices=["rpclab", "document"], default="rpclab", help="what the manager speaks"
    )
    options.add_argument("--quota-bytes", type=size, help="store at most so many bytes (default: what the disk holds)")
    options.add_argument("--document-wire", action="store_true", help="also serve programs of the document's own wire")
    return options


if __name__ == "__main__":
    run(main, "rpclab.server")
