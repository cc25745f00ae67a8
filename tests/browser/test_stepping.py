"""A call of real processes stepped through in plain cells: held, read, delivered, seen in the manager; then let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .jupyter import JupyterServer, write_notebook
from .pages import NotebookPage, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = """from rpclab import LocalCluster
cluster = LocalCluster(servers=2, clients=1, ports="free", fresh=True)
cluster.stage.hold(method="placeFile")
backup = cluster.begin(lambda: cluster.clients["client1"].backup("notes.txt"))"""
READ = """cluster.messages()[0].meaning"""
STEP = """before = len(cluster.look("manager")["reservations"])
cluster.step()
cluster.stage.release()
receipt = backup.result()
before, len(receipt.servers)"""


def test_a_call_is_held_read_and_delivered_from_cells(chromium: Browser, lab: JupyterServer) -> None:
    write_notebook(lab.folder / "stepping.ipynb", START, READ, STEP)
    with watched(chromium) as (page, errors):
        book = NotebookPage(lab, page, errors)
        book.open("stepping.ipynb")
        book.run_all()
        assert book.tracebacks() == []
        assert "placeFile" in book.output(1).inner_text()
        assert "(0, 2)" in book.output(2).inner_text()
        book.shoot("stepping")
        book.assert_quiet()
