"""The dashboard, driven by the messages of its page, over real clusters."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from typing import Any

import pytest

from rpclab import SimCluster
from rpclab.plots import style
from rpclab.widgets import Dashboard
from rpclab.widgets.panel import script


def node(page: Any, name: str) -> dict[str, Any]:
    return next(each for each in page.widget.nodes if each["name"] == name)


def stored(page: Any, key: str) -> dict[str, Any] | None:
    return next((each for each in page.widget.files["rows"] if each["key"] == key), None)


def test_it_shows_parts_files_and_figures_and_what_happened(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any
) -> None:
    cluster = start_cluster(clients=1)
    board = page(Dashboard(cluster))
    receipt = cluster.clients["client1"].backup(make_file("a.bin", 100_000))
    eventually(lambda: stored(board, "client1/a.bin"), what="the file")
    found = stored(board, "client1/a.bin")
    assert found["servers"] == sorted(receipt.servers) and not found["short"] and found["wanted"] == 2
    eventually(lambda: node(board, receipt.servers[0])["stored"] == "97.7 KiB", what="its bytes")
    assert [(each["name"], each["role"], each["word"]) for each in board.widget.nodes] == [
        ("manager", "manager", "alive"),
        ("server1", "server", "alive"),
        ("server2", "server", "alive"),
        ("server3", "server", "alive"),
        ("client1", "client", "alive"),
    ]
    assert "1 file in 2 copies, 195 KiB stored" in board.widget.overview
    eventually(lambda: board.widget.figures["totals"]["replica"] == 100_000, what="the traffic")
    figures = board.widget.figures
    assert figures["totals"] == {"original": 100_000, "replica": 100_000, "repair": 0, "restore": 0}
    assert {name: values[-1] for name, values in figures["servers"].items()} == cluster.stored_bytes()
    assert sum(figures["traffic"]["original"]) == 100_000
    assert any(words.startswith("client1/a.bin is backed up") for _, words in board.widget.told)


def test_its_figures_are_those_that_the_whole_history_gives(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any
) -> None:
    from rpclab.study.measures import stored_bytes_over_time, traffic

    cluster = start_cluster(clients=1, dead_s=3)
    board = page(Dashboard(cluster))
    client = cluster.clients["client1"]
    for number in range(6):
        client.backup(make_file(f"{number}.bin", 10_000 * (number + 1)))
    client.backup(make_file("0.bin", 77))
    client.delete("5.bin")
    cluster.kill("server1")
    eventually(lambda: cluster.upkeep()["copied"] and not cluster.upkeep()["waiting"], what="the repair")
    cluster.restart("server1")
    cluster.stop()
    history = cluster.history
    kinds = {kind: traffic(history).total(kind) for kind in ("original", "replica", "repair", "restore")}
    eventually(lambda: board.widget.figures["totals"] == kinds, what="the same totals")
    assert kinds["repair"] > 0
    expected = {server: steps.values[-1] for server, steps in stored_bytes_over_time(history).items()}
    assert {name: values[-1] for name, values in board.widget.figures["servers"].items()} == expected
    pairs = {(sender, receiver): sizes for sender, receiver, sizes in board.widget.figures["pairs"]}
    assert pairs == {
        pair: {kind: cells[pair] for kind, cells in traffic(history).by_kind.items() if pair in cells} for pair in pairs
    }


def test_its_buttons_kill_pause_resume_and_restart(start_cluster: Any, page: Any, eventually: Any) -> None:
    cluster = start_cluster()
    board = page(Dashboard(cluster))

    def press(name: str, verb: str, word: str) -> None:
        eventually(
            lambda: verb in node(board, name)["verbs"] and not node(board, name)["busy"], what=f"the button {verb}"
        )
        board.send(op="node", name=name, verb=verb)
        eventually(lambda: node(board, name)["word"] == word, what=f"{name} {word}")

    press("server1", "kill", "dead")
    assert cluster.state("server1") == "stopped" and node(board, "server1")["verbs"] == ["restart"]
    press("server2", "pause", "paused")
    eventually(lambda: "suspected" in node(board, "server2")["detail"], what="the manager's suspicion")
    press("server2", "resume", "alive")
    press("server1", "restart", "alive")
    assert board.widget.status == "server1 runs again."
    press("manager", "kill", "dead")
    eventually(lambda: "The manager is dead" in board.widget.files["problem"], what="the problem")
    press("manager", "restart", "alive")
    assert any(words == "server1 was killed" for _, words in board.widget.told)


def test_a_button_that_cannot_succeed_says_why_and_folds_the_traceback(
    start_cluster: Any, page: Any, eventually: Any
) -> None:
    cluster = start_cluster()
    board = page(Dashboard(cluster))
    cluster.kill("server1")
    board.send(op="node", name="server1", verb="pause")
    eventually(lambda: board.widget.problem, what="the sentence")
    assert board.widget.problem["text"] == "server1 is not running: restart it first"
    assert "NotRunning" in board.widget.problem["traceback"]
    board.send(op="node", name="server1", verb="stop")  # a verb that no button has
    eventually(lambda: "there is no 'stop'" in board.widget.problem["text"], what="the refusal")
    assert cluster.state("server2") == "running"


def test_a_small_file_comes_back_to_the_page_and_a_large_one_to_a_folder(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = start_cluster(clients=1)
    source = make_file("deep.bin", (2 << 20) + 5)
    cluster.clients["client1"].backup(source, "folder/deep.bin")
    board = page(Dashboard(cluster, folder=tmp_path / "back"))
    board.send(op="restore", key="client1/folder/deep.bin", size=source.stat().st_size, page="mine")
    eventually(lambda: len(board.heard("piece")) == 3, what="the pieces")
    sent = [
        (data["content"], buffers)
        for data, buffers in board.widget.comm.sent
        if data.get("content", {}).get("op") == "piece"
    ]
    assert b"".join(bytes(buffers[0]) for _, buffers in sent) == source.read_bytes()
    assert {content["page"] for content, _ in sent} == {"mine"} and sent[0][0]["name"] == "deep.bin"
    monkeypatch.setattr("rpclab.widgets.deeds.DOWNLOAD_BYTES", 1000)
    eventually(lambda: not stored(board, "client1/folder/deep.bin")["busy"], what="the end")
    board.send(op="restore", key="client1/folder/deep.bin", size=source.stat().st_size)
    eventually(lambda: "into" in board.widget.status, what="the sentence")
    assert (tmp_path / "back" / "client1" / "folder" / "deep.bin").read_bytes() == source.read_bytes()


def test_verify_names_the_damaged_copy_and_delete_removes_the_file(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any, copies: Any
) -> None:
    cluster = start_cluster(clients=1, repair=False)
    receipt = cluster.clients["client1"].backup(make_file("rot.bin", 5000))
    board = page(Dashboard(cluster))
    cluster.damage(receipt.servers[0], "client1/rot.bin")
    board.send(op="verify", key="client1/rot.bin")
    eventually(lambda: board.widget.status, what="the verdict")
    first, second = receipt.servers
    assert board.widget.status == f"client1/rot.bin: sound on {second}; damaged on {first}, which put it aside."
    eventually(lambda: stored(board, "client1/rot.bin")["short"], what="too few copies")
    board.send(op="delete", key="client1/rot.bin")
    eventually(lambda: stored(board, "client1/rot.bin") is None, what="the end of the file")
    assert not copies(cluster, "client1/rot.bin")


def test_a_search_shows_the_files_that_match_and_counts_the_others(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any
) -> None:
    cluster = start_cluster(clients=1)
    for name in ("red.txt", "green.txt", "greenish.txt"):
        cluster.clients["client1"].backup(make_file(name))
    board = page(Dashboard(cluster))
    board.choose(search="GREEN client1")
    eventually(lambda: board.widget.files["found"] == 2, what="the matches")
    assert board.widget.files["total"] == 3


def test_the_log_of_a_part_is_shown_while_it_is_asked_for(start_cluster: Any, page: Any, eventually: Any) -> None:
    board = page(Dashboard(start_cluster()))
    assert board.widget.printed == {}
    board.send(op="log", name="server2")
    eventually(lambda: "server ready at" in board.widget.printed.get("text", ""), what="the log")
    board.send(op="log", name="")
    eventually(lambda: board.widget.printed == {}, what="its end")


def test_it_sends_at_most_ten_updates_a_second_and_hardly_any_while_nothing_happens(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any
) -> None:
    cluster = start_cluster(clients=1)
    board = page(Dashboard(cluster))
    source, client = make_file("busy.bin", 20_000), cluster.clients["client1"]
    began = time.monotonic()
    board.widget.comm.sent.clear()
    number = 0
    while time.monotonic() - began < 3:
        number += 1
        client.backup(source, f"busy-{number}.bin")
    took, figures = time.monotonic() - began, len(board.updates("figures"))
    assert 1 <= figures <= 10 * took + 2, f"{figures} updates in {took:.1f} s"
    eventually(lambda: board.widget.files["total"] == number, what="all files")
    board.widget.comm.sent.clear()
    began = time.monotonic()
    threading.Event().wait(2.0)
    assert len(board.updates("files")) <= 1 and len(board.updates("nodes")) <= 1
    assert len(board.updates("figures")) <= 2 * (time.monotonic() - began) + 1


def test_closed_it_keeps_neither_threads_nor_the_cluster_and_a_second_one_takes_its_place(
    start_cluster: Any, page: Any, eventually: Any
) -> None:
    cluster = start_cluster()
    before = threading.active_count()
    first = Dashboard(cluster)
    second = Dashboard(cluster)
    assert first.comm is None and "closed" in repr(first)
    gone = weakref.ref(first._watch), weakref.ref(second._watch)
    second.close()
    second.close()
    assert threading.active_count() <= before
    del first, second
    gc.collect()
    assert [each() for each in gone] == [None, None] and cluster.state("server1") == "running"


def test_nobody_looks_while_no_page_shows_it_and_a_page_that_comes_back_wakes_it(
    start_cluster: Any, page: Any, eventually: Any, make_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpclab.widgets.dashboard._ALONE_S", 1.0)
    cluster = start_cluster(clients=1)

    async def in_a_kernel() -> None:
        board = page(Dashboard(cluster))
        alone = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < alone:
            await asyncio.sleep(0.1)
        board.widget.comm.sent.clear()
        await asyncio.to_thread(cluster.clients["client1"].backup, make_file("unseen.txt"))
        await asyncio.sleep(1.5)
        assert board.updates("files") == [] and board.heard("here") == []
        board.send(op="here")
        assert board.heard("here") == [{"op": "here"}]
        await asyncio.to_thread(eventually, lambda: stored(board, "client1/unseen.txt"), what="the file")
        time.sleep(3)  # a long cell: pages may speak, and are not heard
        cluster.clients["client1"].backup(make_file("in-a-cell.txt"))
        eventually(lambda: stored(board, "client1/in-a-cell.txt"), what="the file of the cell")

    asyncio.run(in_a_kernel())


def test_it_outlives_its_cluster_and_says_so(start_cluster: Any, page: Any, eventually: Any) -> None:
    cluster = start_cluster()
    board = page(Dashboard(cluster))
    cluster.stop()
    eventually(lambda: {each["word"] for each in board.widget.nodes} == {"dead"}, what="all dead")
    board.send(op="node", name="server1", verb="restart")
    eventually(lambda: not node(board, "server1")["busy"], what="an answer")


def test_a_page_without_widgets_still_says_what_it_is(start_cluster: Any, page: Any) -> None:
    data, _ = page(Dashboard(start_cluster())).widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "server3  alive" in data["text/plain"] and "<table" in data["text/html"]


def test_a_simulated_cluster_is_looked_at_when_it_is_told_to_and_after_each_button(page: Any) -> None:
    cluster = SimCluster(seed=5, servers=3, clients=1)
    client = cluster.clients["client1"]
    client.put("sim.txt", os.urandom(5000))
    client.backup("sim.txt")
    board = page(Dashboard(cluster))
    assert stored(board, "client1/sim.txt")["servers"] == sorted(client.find("sim.txt").servers[i].node for i in (0, 1))
    board.send(op="node", name="server1", verb="kill")
    assert node(board, "server1")["word"] == "dead"
    cluster.sleep(30)
    board.widget.refresh()
    assert len(stored(board, "client1/sim.txt")["servers"]) == 2
    board.send(op="restore", key="client1/sim.txt", size=5000, page="p")
    assert board.heard("piece")[0]["size"] == 5000
    cluster.stop()


def test_the_page_draws_with_the_colours_of_the_plots() -> None:
    source = script("dashboard_pictures", "dashboard")
    colours = [style.node_styles([f"server{number}"])[f"server{number}"].colour for number in range(1, 7)]
    assert f"const COLOURS = {str(colours).replace(chr(39), chr(34))};" in source
    kinds = ", ".join(f'{kind}: "{each.colour}"' for kind, each in style.COPY_STYLES.items())
    assert f"const KINDS = {{ {kinds} }};" in source
