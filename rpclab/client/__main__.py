"""`python -m rpclab.client 1`: a client's conversation, or its agent, as a process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ..config import MANAGER_PORT
from ..options import counting, parser
from ..rpc.files import Progress
from ..running import Running, data_folder, run
from .agent import Agent
from .document import DocumentClient
from .menu import converse
from .session import Client

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    options = _options().parse_args(arguments)
    node = f"client{options.number}" if options.node is None else options.node
    running = Running(options, node, "client")
    manager = running.manager_address()
    folder = (options.files or f"{data_folder(options.data)}/clients/{node}/Files").replace("\\", "/")
    running.world.disk.make_folder(folder)
    if options.agent:
        agent = Agent(
            running.world,
            running.identity,
            manager,
            folder,
            tracer=running.tracer,
            say=running.say,
            show_messages=running.show_messages,
        )
        return running.serve(agent, (options.host, options.port or 0), folder=folder)
    return _talk(running, manager, folder)


def _talk(running: Running, manager: tuple[str, int], folder: str) -> int:
    name = running.identity.node
    client: Client | DocumentClient
    if running.options.wire == "document":
        client = DocumentClient(running.world, name, manager, tracer=running.tracer)
    else:
        client = Client(running.world, running.identity, manager, tracer=running.tracer)
    with client:
        client.connect()
        print(f"{name} is connected to the manager at {manager[0]}:{manager[1]}.")
        converse(client, running.world.disk, folder, ask=input, say=print, progress=_bar)
    running.tracer.close()
    return 0


def _bar(name: str) -> Progress:
    from tqdm import tqdm

    bar: tqdm[Any] = tqdm(desc=name, unit="B", unit_scale=True, unit_divisor=1024, leave=False, delay=0.5)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return progress


def _options() -> argparse.ArgumentParser:
    options = parser(
        "rpclab.client", "A client: lists its files and backs up those that you name; ENTER alone ends it."
    )
    options.add_argument(
        "number", type=counting, nargs="?", default=1, help="1 or 2: gives its name and folder (default: 1)"
    )
    options.add_argument("--node", help="this client's name (default: client and its number)")
    options.add_argument("--files", help="the folder of its files (default: clients/NODE/Files in the data folder)")
    options.add_argument("--manager", default=f"127.0.0.1:{MANAGER_PORT}", help="the manager's HOST:PORT")
    options.add_argument(
        "--manager-file", help="the file that the manager writes once it is ready, instead of --manager"
    )
    options.add_argument(
        "--wire", choices=["rpclab", "document"], default="rpclab", help="what to speak with the others"
    )
    options.add_argument("--agent", action="store_true", help="no conversation: do what remote calls say")
    return options


if __name__ == "__main__":
    run(main, "rpclab.client")
