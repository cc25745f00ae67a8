"""`rpclab demo`, and so `make demo`: the whole system once, on real files, with everything that it says checked."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from ..cluster.local import LocalCluster
from ..cluster.remote_client import RemoteClient
from ..config import address_text
from ..errors import FolderNotUsable, UsageError
from ..rpc.files import Progress
from ..running import data_folder
from ..study.history import History
from ..text import bytes_text, counted
from .outcomes import Outcome, backed_up, exit_of, for_each, report_problems, stored_row
from .output import Exit, Output, json_option
from .samples import has_files, make_samples

__all__ = ["demo"]

_REPLICAS = 2
_File = tuple[RemoteClient, str, int]
"""A file of a client that is to be backed up: its client, name and bytes."""


@click.command()
@click.option(
    "--out", "pictures", metavar="DIR", default="out", help="where the pictures and the demo's own servers go [out]"
)
@click.option("--data", metavar="DIR", help="folder with clients/ [$RPCLAB_DATA, or data/ here or above]")
@json_option
def demo(out: Output, pictures: str, data: str | None) -> int:
    """Run the whole system once, on real files.

    A manager, three servers and two clients start as processes. Every file of data/clients/ is backed up to two servers and
    restored. One server is ended with kill -9, and every file is restored again from the other copies. Exit status 0 only if
    every restored file is equal, byte for byte.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("the demo draws pictures, and matplotlib is not installed: pip install matplotlib")
    folder = data_folder(data)
    if not has_files(folder):
        out.line(f"No files in {folder}/clients yet: {counted(make_samples(folder), 'sample file')} made there.\n")
    return Demo(out, folder, pathlib.Path(pictures)).run()


class Demo:
    """The steps, in order, and what came of them."""

    def __init__(self, out: Output, data: str, out_folder: pathlib.Path) -> None:
        self._out, self._data, self._pictures = out, data, out_folder
        self._began = time.monotonic()
        self._steps = 0
        self._outcomes: list[Outcome] = []
        self._own = out_folder.absolute() / "data"  # servers of its own: nobody's backups are touched
        self._facts: dict[str, Any] = {"data": data, "servers": str(self._own / "servers")}

    def run(self) -> int:
        """Returns the exit status."""
        with self._step("A manager, 3 servers and 2 clients started, each a process"):
            cluster = LocalCluster(servers=3, clients=2, replicas=_REPLICAS, ports="free", data=self._own, fresh=True)
        with cluster, tempfile.TemporaryDirectory(prefix="rpclab-demo-") as empty:
            self._out.table(["part", "address"], [[part, address_text(at)] for part, at in cluster.addresses.items()])
            for client in cluster.clients.values():
                client.folder = pathlib.Path(self._data, "clients", client.name, "Files")
            files = [(client, name, size) for client in cluster.clients.values() for name, size in client.files.items()]
            files = self._back_up(cluster, files)
            self._restore(files, pathlib.Path(empty, "all-servers"), "restored into an empty folder", gone=None)
            gone = self._kill(cluster)
            self._restore(files, pathlib.Path(empty, "one-gone"), f"restored again, without {gone}", gone=gone)
            self._draw(cluster.history)
        return self._conclude(sum(size for _, _, size in files))

    @contextlib.contextmanager
    def _step(self, done: str) -> Iterator[None]:
        """Number a step, and say what was done and how long it took."""
        self._steps += 1
        began = time.monotonic()
        yield
        self._out.line(f"\n{self._steps}. {done} ({time.monotonic() - began:.1f} s)")

    def _each(self, doing: str, files: list[_File], act: Callable[[_File, Progress], Outcome]) -> list[Outcome]:
        outcomes = for_each(self._out, doing, files, lambda file: (file[0].name, file[1], file[2]), act)
        self._outcomes += outcomes
        return outcomes

    # ---- the steps

    def _back_up(self, cluster: LocalCluster, files: list[_File]) -> list[_File]:
        """Returns the files that are stored: only those can be restored."""
        with self._step(f"{counted(len(files), 'file')} sent, each to be stored on {_REPLICAS} servers"):
            outcomes = self._each("backing up", files, _back_up)
        self._out.table(["file", "client", "size", "servers", "digest"], map(stored_row, outcomes), right=["size"])
        stored = self._facts["stored_bytes"] = cluster.stored_bytes()
        self._facts["files"] = outcomes
        self._out.line(f"\nStored on each server, in {self._pictures / 'data' / 'servers'}/*/Backups/:")
        most = max([1, *stored.values()])
        for server, size in stored.items():
            self._out.line(f"  {server}  {'#' * round(40 * size / most):<40}  {bytes_text(size):>10}")
        return [file for file, outcome in zip(files, outcomes, strict=True) if outcome.state != "failed"]

    def _restore(self, files: list[_File], folder: pathlib.Path, done: str, *, gone: str | None) -> None:
        with self._step(f"{counted(len(files), 'file')} {done}, and compared byte for byte"):
            outcomes = self._each("restoring", files, lambda file, progress: _restore(file, folder, gone, progress))
        equal = sum(outcome.state == "equal" for outcome in outcomes)
        self._facts.setdefault("equal", []).append(equal)
        self._out.line(f"   {equal} of {counted(len(files), 'file')} equal")

    def _kill(self, cluster: LocalCluster) -> str:
        """End the server that stores the most, so that it is missed."""
        stored = cluster.stored_bytes()
        gone = max(stored, key=lambda server: stored[server])
        process = cluster.processes()[gone]
        with self._step(f"{gone}, process {process}, ended with kill -9; it stored {bytes_text(stored[gone])}"):
            cluster.kill(gone)
        self._facts["killed"] = gone
        return gone

    def _draw(self, history: History) -> None:
        """The two pictures of this run."""
        paths = [self._pictures / "balance.png", self._pictures / "traffic.png"]
        with self._step("Two pictures of this run drawn"):
            import matplotlib as mpl

            mpl.use("agg")  # no window, whatever screen there is
            from .. import plots

            try:
                self._pictures.mkdir(parents=True, exist_ok=True)
                plots.save(plots.plot_balance(history), paths[0], background="white")
                plots.save(plots.plot_traffic(history), paths[1], background="white")
            except OSError as error:
                raise FolderNotUsable(f"the pictures cannot be written to {self._pictures}: {error.strerror}") from None
        for path in paths:
            self._out.line(f"   {path}")
        self._facts["pictures"] = [str(path) for path in paths]

    def _conclude(self, size: int) -> int:
        """The last line: what was verified, or that it was not."""
        state = exit_of(self._outcomes)
        report_problems(self._out, self._outcomes)
        seconds = round(time.monotonic() - self._began, 2)
        wrong = _wrong(self._outcomes)
        self._out.document(state, **self._facts, bytes=size, seconds=seconds, problems=wrong)
        count = len(self._facts["files"])
        if state == Exit.ALL_HELD:
            said = f"{counted(count, 'file')}, {size:,} bytes, {_REPLICAS} copies each"
            self._out.line(f"\nVerified: {said}; equal, also after kill -9.")
        else:
            bad = len({(outcome.client, outcome.name) for outcome in wrong})
            self._out.line(f"\nNOT verified: {bad:,} of {counted(count, 'file')}; which, and why: see above.")
        return state


def _wrong(outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if exit_of([outcome]) != Exit.ALL_HELD]


def _back_up(file: _File, progress: Progress) -> Outcome:
    client, name, _ = file
    return backed_up(lambda: client.backup(name, progress=progress))


def _restore(file: _File, folder: pathlib.Path, gone: str | None, progress: Progress) -> Outcome:
    """Restore a file and compare it with the one in the client's folder."""
    client, name, size = file
    restored = client.restore(name, folder / client.name, progress=progress)
    problems = []
    if restored.server == gone:
        problems.append(f"came from {gone}, which was killed")
    if not _equal(client.folder / name, pathlib.Path(restored.path)):
        problems.append(f"what came back from {restored.server} is not equal to {client.folder / name}")
    state = "failed" if problems else "equal"
    return Outcome(client=client.name, name=name, state=state, size=size, servers=[restored.server], problems=problems)


def _equal(one: pathlib.Path, other: pathlib.Path) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:
        while block := first.read(1 << 20):
            if second.read(len(block)) != block:
                return False
        return not second.read(1)
