"""The options that a manager, a server and a client share as processes."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .secret import SECRET_VARIABLE

__all__ = ["DATA_VARIABLE", "counting", "parser", "port", "size"]

DATA_VARIABLE = "RPCLAB_DATA"


def parser(program: str, about: str) -> argparse.ArgumentParser:
    """The options that all parts share."""
    options = _Parser(prog=f"python -m {program}", description=about, allow_abbrev=False)
    options.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    options.add_argument("--port", type=port, help="port to listen on; 0 takes a free one")
    options.add_argument(
        "--data", help=f"folder with clients/ and servers/ (default: ${DATA_VARIABLE}, or data/ here or above)"
    )
    options.add_argument(
        "--secret-file", help=f"the cluster's secret (default: ${SECRET_VARIABLE}, or this user's own)"
    )
    options.add_argument(
        "--certificates", metavar="FOLDER", help="speak TLS, with what `rpclab certificates` made in this folder"
    )
    options.add_argument(
        "--insecure", action="store_true", help="allow other machines without certificates: all can be read and changed"
    )
    options.add_argument("--own-file", help="code of your own in place of ours, stored with cloudpickle")
    options.add_argument("--quiet", action="store_true", help="do not print each message")
    options.add_argument("--log", help="write the event log to this file")
    options.add_argument("--log-texts", action="store_true", help="write the beginning of each message into it too")
    options.add_argument("--stage", help=argparse.SUPPRESS)  # HOST:PORT; for LocalCluster
    options.add_argument("--seed", type=int, help="make this part's random choices repeat")
    options.add_argument("--ready-file", help="write this file, with the address, once ready")
    options.add_argument("--lifeline", action="store_true", help="end when standard input says anything, or ends")
    return options


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong with an option in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help lists all options)\n")


def counting(text: str) -> int:
    """A part's number, for argparse."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a part: they are counted from 1")
    return int(text)


def size(text: str) -> int:
    """A number of bytes, for argparse."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes: 0 or more are needed")
    return int(text)


def port(text: str) -> int:
    """A port number, for argparse."""
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535 is needed")
    return int(text)
