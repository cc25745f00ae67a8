"""The program `rpclab`: its commands, and how each of its ends looks: an exit status, and one line instead of a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from .. import __version__
from ..errors import RpclabError
from .app import app
from .balance import balance
from .certificates import certificates
from .check import check
from .cluster import down, status, up
from .course import course
from .demo import demo
from .diagram import diagram
from .experiments import experiments
from .export import export
from .files import backup, restore
from .grade import grade_command
from .interruption import interruption
from .outcomes import Interrupted
from .output import Exit, Output, error_document, exit_for, text_of
from .replay import replay
from .stored import ls, rm, verify

__all__ = ["program", "run"]

_HELP = """A backup cluster over remote procedure calls, to see, break and build.

\b
  rpclab demo                   the whole system once, on real files
  rpclab up                     start a cluster in the background
  rpclab backup photos          back a file or a folder up
  rpclab restore --to back      write it back
  rpclab down                   end the cluster
  rpclab app                    a page with all of it, in your browser

\b
Exit status:
    0  all held
    1  something failed; stderr says which file, and why
    2  wrong usage
    3  no cluster runs, or it cannot be reached
    4  stored, but with fewer copies than wanted
    5  whether it held is not known (rpclab check)
  130  interrupted (Ctrl-C)

A cluster is found by its record below the data folder, so run the commands in one place, or give --data.
Every command takes --json. RPCLAB_DEBUG=1 shows tracebacks.
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="rpclab", message="%(prog)s %(version)s")
def program() -> None:
    return


for command in (
    demo,
    app,
    up,
    status,
    down,
    backup,
    restore,
    ls,
    verify,
    rm,
    balance,
    check,
    course,
    diagram,
    export,
    grade_command,
    certificates,
    experiments,
    replay,
):
    program.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; whatever went wrong is a line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show
    interruption.watch()
    try:
        status = program.main(list(arguments) or ["--help"], prog_name="rpclab", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "rpclab"
        return _failed(arguments, error, f"{error.format_message().rstrip('.')}. See: {path} --help", Exit.USAGE)
    except (click.Abort, KeyboardInterrupt) as error:
        return _failed(arguments, error, "interrupted", Exit.INTERRUPTED)
    except Interrupted as error:
        return _failed(arguments, error, str(error), Exit.INTERRUPTED)
    except RpclabError as error:
        return _failed(arguments, error, text_of(error), exit_for(error))
    except OSError as error:
        return _failed(arguments, error, f"{error.filename or 'the system says'}: {error.strerror}", Exit.FAILED)
    except Exception as error:  # the outermost edge: people get a line, and the way to the rest
        said = f"a fault in rpclab itself, please report it with what RPCLAB_DEBUG=1 shows: {type(error).__name__}: {error}"
        return _failed(arguments, error, said, Exit.FAILED)
    return int(status or 0)


def _failed(arguments: Sequence[str], error: BaseException, message: str, status: Exit) -> int:
    if os.environ.get("RPCLAB_DEBUG"):
        traceback.print_exception(error)
    Output().problem(message)
    if "--json" in arguments:
        with contextlib.suppress(OSError):  # it may be that very output which cannot be written
            click.echo(error_document(type(error).__name__, message, status))
    return status
