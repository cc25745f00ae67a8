"""`python -m rpclab.commands.page_server`: Voilà with one notebook, behind a token, until its standard input ends.

The token comes in an environment variable, for everybody on a machine can read a command line. Kernels of pages that were
closed end after some minutes in which no page has said that it is there. Every page watches itself: `widgets/page.js`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["TOKEN_VARIABLE", "main"]

TOKEN_VARIABLE = "RPCLAB_APP_TOKEN"
_FORGOTTEN_S = 120
_WATCH = Path(__file__).parents[1] / "widgets" / "page.js"


def main(arguments: Sequence[str]) -> None:
    from traitlets.config import Config
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
    config = Config()
    config.VoilaConfiguration.prelaunch_hook = _watched
    Voila.launch_instance(options, token=os.environ.pop(TOKEN_VARIABLE), config=config)


def _watched(_request: Any, notebook: Any, cwd: str) -> Any:
    """The notebook with a script before all else, which runs whatever becomes of the widgets."""
    from nbformat.v4 import new_markdown_cell

    script = _WATCH.read_text(encoding="utf-8")
    notebook.cells.insert(0, new_markdown_cell(f"<script>\n{script}</script>"))  # type: ignore[no-untyped-call]
    return notebook


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not by sys.stdin, whose lock Python waits for when it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
