"""Numbers out of a history are what its events say, no more and no less."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.study.history import History
from rpclab.study.measures import (
    Steps,
    alive_over_time,
    balance_over_time,
    departures,
    gap_over_time,
    latency_by_method,
    message_traffic,
    stored_bytes_over_time,
    traffic,
    traffic_over_time,
)
from rpclab.trace import Event


class Log:
    """Builds events in order; each costs one number at its node."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, time: float, node: str, kind: str, stored: int | None = None, **fields: Any) -> None:
        number = len(self.events) + 1
        detail = fields.pop("detail", {}) | ({} if stored is None else {"stored_bytes": stored})
        self.events.append(Event(100.0 + time, node, number, number, kind, detail=detail, **fields))

    def history(self) -> History:
        return History(self.events)


def cluster(*servers: str) -> Log:
    log = Log()
    log.add(0, "manager", "started", detail={"role": "manager"})
    for server in servers:
        log.add(0, server, "started", detail={"role": "server"})
        log.add(0, "manager", "registered", 0, peer=server)
    return log


def test_an_empty_history_measures_nothing() -> None:
    history = History()
    for measure in (stored_bytes_over_time, alive_over_time, latency_by_method):
        assert measure(history) == {}
    assert departures(history) == []
    assert gap_over_time(history) == Steps([], [])
    assert (traffic(history).nodes, traffic(history).total()) == ([], 0)
    assert sum(map(sum, traffic_over_time(history).by_kind.values())) == 0


def test_stored_bytes_are_the_servers_own_word() -> None:
    log = cluster("server-1", "server-2")
    log.add(1, "server-1", "stored", 10)
    log.add(2, "server-1", "stored", 30)
    log.add(3, "manager", "reported", 10, peer="server-1")  # under way since the first
    log.add(4, "server-1", "deleted", 20)
    log.add(5, "manager", "reported", 7, peer="server-2")  # has said nothing itself: the manager counts
    series = stored_bytes_over_time(log.history())
    assert series == {"server-1": Steps([0, 1, 2, 4], [0, 10, 30, 20]), "server-2": Steps([0, 5], [0, 7])}
    assert [series["server-1"].at(time) for time in (-1, 0.5, 1, 3, 9)] == [0, 0, 10, 30, 20]


def test_a_server_that_starts_again_is_believed_anew() -> None:
    log = cluster("server-1")
    log.add(1, "server-1", "stored", 10)
    log.add(2, "manager", "gone", peer="server-1")
    log.add(3, "server-1", "started", detail={"role": "server"})
    log.add(4, "manager", "registered", 0, peer="server-1")  # with an empty disk
    log.add(5, "server-1", "stored", 5)
    history = log.history()
    assert stored_bytes_over_time(history)["server-1"] == Steps([0, 1, 4, 5], [0, 10, 0, 5])
    assert alive_over_time(history) == {"server-1": [(0, 2), (4, 5)]}
    assert departures(history) == [(2, "server-1")]


def test_a_client_that_goes_is_no_server_that_is_gone() -> None:
    log = cluster("server-1")
    log.add(1, "manager", "gone", peer="client-1")
    log.add(2, "client-1", "stopped", detail={"role": "client"})
    assert departures(log.history()) == []


def test_the_gap_is_taken_over_those_alive() -> None:
    log = cluster("server-1", "server-2", "server-3")
    log.add(1, "server-1", "stored", 90)
    log.add(2, "server-2", "stored", 30)
    log.add(3, "manager", "gone", peer="server-3")
    gap = gap_over_time(log.history())
    assert gap == Steps([0, 1, 2, 3], [0, 60, 50, 30])


def test_the_clean_stop_of_all_is_no_departure() -> None:
    log = cluster("server-1", "server-2")
    log.add(1, "server-1", "stored", 90)
    log.add(2, "manager", "gone", peer="server-2")  # killed: it never said stopped
    log.add(3, "manager", "gone", peer="server-1")
    log.add(3, "server-1", "stopped")
    history = log.history()
    assert departures(history) == [(2, "server-2")]
    assert alive_over_time(history) == {"server-1": [(0, 3)], "server-2": [(0, 2)]}
    assert gap_over_time(history) == Steps([0, 1, 2], [0, 45, 0])


def test_a_server_stopped_while_others_work_is_a_departure() -> None:
    log = cluster("server-1", "server-2")
    log.add(1, "server-2", "stopped")
    log.add(2, "server-1", "stored", 9)
    assert departures(log.history()) == [(1, "server-2")]


happenings = st.lists(
    st.tuples(st.sampled_from(["stored", "gone", "registered"]), st.integers(1, 5), st.integers(0, 9)), max_size=40
)


@given(happenings)
def test_the_balance_equals_one_computed_the_plain_way(steps: list[tuple[str, int, int]]) -> None:
    log = cluster(*(f"server-{number}" for number in range(1, 6)))
    stored = {f"server-{number}": 0 for number in range(1, 6)}
    alive = set(stored)
    expected = {0.0: (0, 0.0, 0)}
    for time, (kind, number, size) in enumerate(steps, 1):
        server = f"server-{number}"
        if kind == "stored":
            stored[server] = size
            log.add(time, server, kind, size)
        else:
            (alive.add if kind == "registered" else alive.discard)(server)
            log.add(time, "manager", kind, peer=server)
        there = [stored[each] for each in alive] or [0]
        expected[float(time)] = (min(there), sum(there) / len(there), max(there))
    balance = balance_over_time(log.history())
    for time, (least, mean, most) in expected.items():
        assert balance.least.at(time) == least
        assert balance.mean.at(time) == pytest.approx(mean)
        assert balance.most.at(time) == most


def transfers() -> Log:
    log = cluster("server-1", "server-2")
    log.add(0, "client-1", "started", detail={"role": "client"})
    for time, sender, receiver, size, copy in (
        (1.0, "client-1", "server-1", 700, "original"),
        (1.5, "client-1", "server-1", 300, "original"),
        (2.0, "server-1", "server-2", 1000, "replica"),
        (4.0, "server-2", "client-1", 1000, "restore"),
    ):
        log.add(time, sender, "send-data", peer=receiver, bytes=size, copy=copy)
        log.add(time, receiver, "receive-data", peer=sender, bytes=size, copy=copy)
    return log


def test_traffic_is_told_by_sender_receiver_and_kind() -> None:
    sent = traffic(transfers().history())
    assert sent.nodes == ["client-1", "server-1", "server-2"]
    assert sent.matrix("original") == [[0, 1000, 0], [0, 0, 0], [0, 0, 0]]
    assert sent.matrix("replica") == [[0, 0, 0], [0, 0, 1000], [0, 0, 0]]
    assert sent.matrix() == [[0, 1000, 0], [0, 0, 1000], [1000, 0, 0]]
    assert (sent.total("restore"), sent.total(), sent.total("unheard of")) == (1000, 3000, 0)


def test_a_sender_without_a_log_is_told_by_its_receiver() -> None:
    log = cluster("server-1")
    log.add(1, "server-1", "receive-data", peer="127.0.0.1:5000", bytes=50, copy="original")
    assert traffic(log.history()).by_kind["original"] == {("127.0.0.1:5000", "server-1"): 50}


def test_traffic_over_time_loses_no_byte() -> None:
    over_time = traffic_over_time(transfers().history(), bins=4)
    assert over_time.edges == [0, 1, 2, 3, 4]
    assert over_time.by_kind == {
        "original": [0, 1000, 0, 0],
        "replica": [0, 0, 1000, 0],
        "repair": [0, 0, 0, 0],
        "restore": [0, 0, 0, 1000],
    }


def test_messages_are_counted_apart_from_files() -> None:
    log = transfers()
    log.add(5, "client-1", "send", peer="manager", message="request", bytes=120, call=1)
    log.add(5, "manager", "send", peer="client-1", message="reply", bytes=80, call=1)
    messages = message_traffic(log.history())
    assert messages.by_kind == {"request": {("client-1", "manager"): 120}, "reply": {("manager", "client-1"): 80}}
    assert messages.total() == 200
    assert traffic(log.history()).total() == 3000


def test_latency_is_from_request_to_reply_at_the_caller() -> None:
    log = Log()

    def message(time: float, node: str, kind: str, peer: str, message: str, call: int, method: str = "") -> None:
        log.add(time, node, kind, peer=peer, message=message, call=call, method=method)

    message(1.0, "client-1", "send", "manager", "request", 1, "getServer")
    message(1.0, "client-1", "send", "server-1", "request", 1, "string")
    message(1.1, "manager", "receive", "client-1", "request", 1, "getServer")
    message(1.2, "manager", "send", "client-1", "reply", 1)
    message(1.25, "client-1", "receive", "manager", "reply", 1)
    message(1.75, "client-1", "receive", "server-1", "error", 1)
    message(2.0, "client-1", "send", "manager", "request", 2, "getServer")
    log.add(3.0, "client-1", "disconnected", peer="manager")
    message(4.0, "client-1", "send", "manager", "request", 2, "getServer")
    message(4.5, "client-1", "receive", "manager", "reply", 2)
    message(5.0, "client-1", "receive", "manager", "reply", 9)  # to nothing that was asked
    assert latency_by_method(log.history()) == {"getServer": [0.25, 0.5], "string": [0.75]}
