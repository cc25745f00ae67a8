"""The command line: `rpclab up`, `backup`, `restore`, ... and `rpclab demo`. A file for each group of commands."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the program's arguments name, and exit with its status."""
    try:
        from .program import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # while loading
        status = 130
    sys.exit(status)
