"""`python -m rpclab.commands.page_server`: Voilà with one notebook, behind a token, until its standard input ends.

The token comes in an environment variable, for everybody on a machine can read a command line. Kernels of pages that were
closed end after some minutes in which no page has said that it is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

__all__ = ["TOKEN_VARIABLE", "main"]

TOKEN_VARIABLE = "RPCLAB_APP_TOKEN"
_FORGOTTEN_S = 120


def main(arguments: Sequence[str]) -> None:
    from voila.app import Voila

    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    host, port, notebook = arguments
    options = [
        f"--Voila.ip={host}",
        f"--port={port}",
        "--Voila.port_retries=0",
        "--no-browser",
        f"--MappingKernelManager.cull_idle_timeout={_FORGOTTEN_S}",
        "--MappingKernelManager.cull_interval=30",
        notebook,
    ]
    Voila.launch_instance(options, token=os.environ.pop(TOKEN_VARIABLE))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
