"""The uploader, driven by the messages of its page, over real clusters."""

from __future__ import annotations

import gc
import os
import pathlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from blake3 import blake3

from rpclab import LocalCluster, SimCluster
from rpclab.widgets import Uploader

PIECE = 1 << 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    data = tmp_path_factory.mktemp("uploader") / "data"
    with LocalCluster(servers=3, clients=2, ports="free", data=data) as cluster:
        yield cluster


def row(page: Any, name: str) -> dict[str, Any]:
    found = [each for each in page.widget.rows if each["name"] == name]
    return found[-1] if found else {"phase": "", "words": ""}


@pytest.fixture
def upload(eventually: Callable[..., None]) -> Callable[..., str]:
    """Send a file as the page's script does: piece after piece, each after the one before was acknowledged."""

    def send(page: Any, name: str, contents: bytes, upto: int | None = None) -> str:
        id = f"{name}-{time.monotonic_ns()}"
        page.send(op="begin", id=id, name=name, size=len(contents))
        pieces(page, id, contents, upto)
        return id

    def pieces(page: Any, id: str, contents: bytes, upto: int | None = None) -> None:
        eventually(lambda: any(m["id"] == id for op in ("go", "stop") for m in page.heard(op)), what="go")
        end = len(contents) if upto is None else upto
        for offset in range(0, end, PIECE):
            piece = contents[offset : min(offset + PIECE, end)]
            page.send(piece, op="chunk", id=id, offset=offset)
            done = offset + len(piece)
            if done < len(contents):
                acked = lambda done=done: any(m["id"] == id and m["done"] == done for m in page.heard("ack"))  # noqa: E731
                eventually(acked, what="an acknowledgement")

    send.pieces = pieces  # type: ignore[attr-defined]
    return send


def test_a_file_from_the_browser_lands_in_its_clients_folder_and_is_backed_up(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any, copies: Any
) -> None:
    form = page(Uploader(cluster))
    contents = os.urandom(3 * PIECE + 17)
    upload(form, "holiday.bin", contents)
    eventually(lambda: row(form, "holiday.bin")["phase"] == "done", what="the receipt")
    found = row(form, "holiday.bin")
    assert (cluster.clients["client1"].folder / "holiday.bin").read_bytes() == contents
    stored = copies(cluster, "client1/holiday.bin")
    assert len(stored) == 2 and set(stored.values()) == {contents}
    assert found["words"] == f"Stored in 2 copies, on {' and '.join(form.widget.results[-1].servers)}."
    assert set(form.widget.results[-1].servers) == set(stored)
    assert f"digest (BLAKE3) {blake3(contents).hexdigest()}" in found["facts"]
    assert "1 stored" in form.widget.status


def test_progress_is_told_with_rate_and_time_left_at_most_ten_times_a_second(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any
) -> None:
    form = page(Uploader(cluster))
    began = time.monotonic()
    upload(form, "large.bin", bytes(40 * PIECE))
    eventually(lambda: row(form, "large.bin")["phase"] == "done", what="the receipt")
    told = form.updates("rows")
    assert len(told) <= 10 * (time.monotonic() - began) + 12  # and what ends or begins a phase
    shares = [rows[-1]["share"] for rows in told if rows and rows[-1]["phase"] == "arrives"]
    assert shares == sorted(shares)
    words = [rows[-1]["words"] for rows in told if rows]
    assert all(" MiB of 40 MiB" in each or not each[0].isdigit() for each in words)


def test_an_empty_file_and_one_with_a_strange_name_arrive_too(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any, copies: Any
) -> None:
    form = page(Uploader(cluster))
    upload(form, "Übersicht 日本.txt", b"")
    eventually(lambda: row(form, "Übersicht 日本.txt")["phase"] == "done", what="the receipt")
    assert set(copies(cluster, "client1/Übersicht 日本.txt").values()) == {b""}


@pytest.mark.parametrize("name", ["../escape.txt", "/etc/passwd", "a\\b", "nul", ""])
def test_a_name_that_could_leave_the_folder_is_refused_in_a_sentence(
    cluster: LocalCluster, page: Any, eventually: Any, name: str
) -> None:
    form = page(Uploader(cluster))
    form.send(op="begin", id="x", name=name, size=3)
    eventually(lambda: row(form, name)["phase"] == "failed", what="the refusal")
    assert row(form, name)["words"] and "NameRefused" in row(form, name)["traceback"]
    assert not form.heard("go")


def test_a_name_that_is_taken_is_asked_about_before_a_byte_is_sent(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any, fill: Any
) -> None:
    folder = cluster.clients["client2"].folder
    fill(folder, "taken.txt", b"mine")
    form = page(Uploader(cluster))
    form.choose(client="client2")
    for id in ("a", "b", "c"):
        form.send(op="begin", id=id, name="Taken.txt", size=5)  # one name to some systems
    eventually(lambda: [each["phase"] for each in form.widget.rows] == ["asks"] * 3, what="the question")
    assert not form.heard("go") and (folder / "taken.txt").read_bytes() == b"mine"
    form.send(op="answer", id="a", choice="skip")
    form.send(op="answer", id="b", choice="both")
    upload.pieces(form, "b", b"yours")
    eventually(lambda: row(form, "Taken (2).txt")["phase"] == "done", what="the second name")
    assert (folder / "Taken (2).txt").read_bytes() == b"yours" and (folder / "taken.txt").read_bytes() == b"mine"
    assert [each["phase"] for each in form.widget.rows] == ["cancelled", "done", "asks"]


def test_replacing_a_file_makes_a_new_version_and_the_cluster_keeps_the_earlier_one(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any
) -> None:
    form = page(Uploader(cluster))
    upload(form, "twice.txt", b"first")
    eventually(lambda: row(form, "twice.txt")["phase"] == "done", what="the first receipt")
    form.send(op="begin", id="again", name="twice.txt", size=6)
    eventually(lambda: row(form, "twice.txt")["phase"] == "asks", what="the question")
    form.send(op="answer", id="again", choice="replace")
    upload.pieces(form, "again", b"second")
    eventually(lambda: row(form, "twice.txt")["phase"] == "done", what="the second receipt")
    client = cluster.clients["client1"]
    assert (client.folder / "twice.txt").read_bytes() == b"second"
    assert len(client.versions("twice.txt")) == 2


def test_a_cancelled_upload_leaves_nothing_behind_and_can_be_tried_again(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any
) -> None:
    form, contents = page(Uploader(cluster)), os.urandom(3 * PIECE)
    id = upload(form, "half.bin", contents, upto=2 * PIECE)
    form.send(op="cancel", id=id)
    eventually(lambda: row(form, "half.bin")["phase"] == "cancelled", what="the end")
    folder = cluster.clients["client1"].folder
    assert not (folder / "half.bin").exists() and not list(folder.parent.glob(".upload*"))
    form.widget.comm.sent.clear()
    form.send(op="retry", id=id)
    upload.pieces(form, id, contents)
    eventually(lambda: row(form, "half.bin")["phase"] == "done", what="the receipt")
    assert (folder / "half.bin").read_bytes() == contents


def test_a_backup_is_cancelled_in_its_middle_and_no_server_keeps_anything(
    cluster: LocalCluster, page: Any, eventually: Any, fill: Any, copies: Any
) -> None:
    fill(cluster.clients["client1"].folder, "huge.bin", b"")
    os.truncate(cluster.clients["client1"].folder / "huge.bin", 2 << 30)  # a hole: takes no room, and seconds to send
    form = page(Uploader(cluster))
    form.widget.backup_from_disk("client1/Files/huge.bin")
    eventually(lambda: 0 < row(form, "huge.bin").get("share", 0) < 1, what="the middle")
    form.send(op="cancel", id=form.widget.rows[-1]["id"])
    eventually(lambda: row(form, "huge.bin")["phase"] == "cancelled", what="the end")
    incoming = cluster.data / "servers"
    eventually(lambda: not [path for path in incoming.glob("*/Incoming/*") if path.is_file()], what="empty Incoming")
    assert not copies(cluster, "client1/huge.bin")
    os.remove(cluster.clients["client1"].folder / "huge.bin")


def test_a_piece_out_of_order_fails_the_file_and_nothing_else(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any
) -> None:
    form = page(Uploader(cluster))
    form.send(op="begin", id="odd", name="odd.bin", size=3 * PIECE)
    eventually(lambda: form.heard("go"), what="go")
    form.send(b"late", op="chunk", id="odd", offset=PIECE)
    eventually(lambda: row(form, "odd.bin")["phase"] == "failed", what="the failure")
    upload(form, "even.bin", b"even")
    eventually(lambda: row(form, "even.bin")["phase"] == "done", what="the other file")


def test_a_file_over_the_limit_is_refused_before_it_is_sent(cluster: LocalCluster, page: Any, eventually: Any) -> None:
    form = page(Uploader(cluster, limit_bytes=1000))
    assert form.widget.limit["words"] == "1000 B"
    form.send(op="begin", id="x", name="big.bin", size=1001)
    eventually(lambda: row(form, "big.bin")["phase"] == "failed", what="the refusal")
    assert "1001 B" in row(form, "big.bin")["words"] and not form.heard("go")


def test_what_is_chosen_holds_for_the_files_that_follow(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any, copies: Any
) -> None:
    form = page(Uploader(cluster))
    form.choose(client="client2", replicas=3, replication="pipeline", acknowledge="primary")
    upload(form, "thrice.txt", b"three")
    eventually(lambda: row(form, "thrice.txt")["phase"] == "done", what="the receipt")
    receipt = form.widget.results[-1]
    assert (receipt.file.client, receipt.wanted, receipt.copies, receipt.pending) == ("client2", 3, 1, 2)
    assert row(form, "thrice.txt")["words"].endswith("2 more are being made.")
    eventually(lambda: len(copies(cluster, "client2/thrice.txt")) == 3, what="the other copies")


def test_the_picker_lists_its_root_and_never_leaves_it(
    cluster: LocalCluster, page: Any, eventually: Any, fill: Any, tmp_path: pathlib.Path
) -> None:
    root = tmp_path / "root"
    fill(root, "inside.txt", b"inside")
    fill(root, "deep/er.txt", b"deeper")
    secret = fill(tmp_path, "secret.txt", b"secret")
    (root / "link.txt").symlink_to(secret)
    form = page(Uploader(cluster, root=root))
    form.send(op="browse", folder="")
    eventually(lambda: form.widget.shelf, what="the list")
    assert [(each["name"], each["file"]) for each in form.widget.shelf["entries"]] == [
        ("deep", False),
        ("inside.txt", True),
    ]
    form.send(op="browse", folder="..")
    eventually(lambda: form.widget.shelf["problem"], what="the refusal")
    form.send(op="disk", names=["deep/er.txt", "../secret.txt", "link.txt"])
    eventually(lambda: row(form, "er.txt")["phase"] == "done", what="the receipt")
    eventually(lambda: row(form, "link.txt")["phase"] == "failed", what="the refusal")
    assert row(form, "secret.txt")["phase"] == "failed" and "leads out of" in row(form, "secret.txt")["words"]


def test_another_file_on_the_disk_that_would_become_a_version_of_a_stored_one_is_asked_about(
    cluster: LocalCluster, page: Any, upload: Any, eventually: Any, fill: Any, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path / "root", "same.txt", b"another")
    form = page(Uploader(cluster, root=tmp_path / "root"))
    upload(form, "same.txt", b"stored")
    eventually(lambda: row(form, "same.txt")["phase"] == "done", what="the receipt")
    form.send(op="disk", names=["same.txt"])
    eventually(lambda: row(form, "same.txt")["phase"] == "asks", what="the question")
    form.send(op="answer", id=form.widget.rows[-1]["id"], choice="both")
    eventually(lambda: row(form, "same (2).txt")["phase"] == "done", what="the second name")
    assert len(cluster.clients["client1"].versions("same.txt")) == 1


def test_fewer_copies_than_wanted_and_a_dead_client_are_told_in_words(
    start_cluster: Any, page: Any, upload: Any, eventually: Any
) -> None:
    cluster = start_cluster(servers=1, clients=1, replicas=2)
    form = page(Uploader(cluster))
    upload(form, "lonely.txt", b"lonely")
    eventually(lambda: row(form, "lonely.txt")["phase"] == "short", what="the receipt")
    assert row(form, "lonely.txt")["words"].startswith("Stored with 1 copy of 2, on server1.")
    cluster.kill("client1")
    upload(form, "late.txt", b"late")
    eventually(lambda: row(form, "late.txt")["phase"] == "failed", what="the failure")
    assert "client1" in row(form, "late.txt")["words"] and "Traceback" in row(form, "late.txt")["traceback"]
    cluster.restart("client1")
    form.send(op="retry", id=form.widget.rows[-1]["id"])
    eventually(lambda: row(form, "late.txt")["phase"] == "short", what="the second try")


def test_a_cluster_without_clients_gets_one_in_the_notebook(
    start_cluster: Any, page: Any, upload: Any, eventually: Any, copies: Any
) -> None:
    cluster = start_cluster(clients=0)
    form = page(Uploader(cluster))
    upload(form, "mine.txt", b"mine")
    eventually(lambda: row(form, "mine.txt")["phase"] == "done", what="the receipt")
    assert len(copies(cluster, "notebook/mine.txt")) == 2


def test_made_again_for_the_same_cluster_it_takes_the_earlier_ones_place(cluster: LocalCluster, page: Any) -> None:
    first = page(Uploader(cluster)).widget
    second = page(Uploader(cluster)).widget
    assert first.comm is None and second.comm is not None
    first.close()
    assert "closed" in repr(first) and "nothing chosen yet" in repr(second)
    assert cluster.state("client1") == "running"


def test_closed_it_keeps_neither_threads_nor_the_cluster_alive(
    cluster: LocalCluster, upload: Any, eventually: Any
) -> None:
    from .conftest import Page

    before = threading.active_count()
    widget = Uploader(cluster)
    results = widget.results
    upload(Page(widget), "last.txt", b"last")
    eventually(lambda: results, what="the receipt")
    uploads = weakref.ref(widget._uploads)
    widget.close()
    widget.close()
    assert threading.active_count() <= before
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None and uploads() is None


def test_a_page_without_widgets_still_says_what_it_is(cluster: LocalCluster, page: Any) -> None:
    data, _ = page(Uploader(cluster)).widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "Uploader for the cluster rpclab: nothing chosen yet" in data["text/plain"]
    assert "cluster.backup_all()" in data["text/html"]


def test_a_simulated_cluster_takes_uploads_into_its_disks_in_memory(
    page: Any, upload: Any, fill: Any, tmp_path: Any
) -> None:
    cluster = SimCluster(seed=3, servers=3, clients=1)
    fill(tmp_path, "disk.txt", b"from the disk")
    form = page(Uploader(cluster, root=tmp_path))
    upload(form, "simulated.txt", b"simulated")
    form.send(op="disk", names=["disk.txt"])
    assert [each["phase"] for each in form.widget.rows] == ["done", "done"]
    assert [location.file.name for location in cluster.files()] == ["disk.txt", "simulated.txt"]
    cluster.stop()
