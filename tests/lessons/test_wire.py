"""Ears and strangers on the wire: what a tap hears and changes, what strangers are told, how bytes are taken apart."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable

import pytest

from rpclab import Client
from rpclab.cluster.local import LocalCluster
from rpclab.config import Limits
from rpclab.errors import RpclabError
from rpclab.lessons import Tap, at_once, crowd, dissect, pieces, say, timed, wait_for
from rpclab.rpc.handshake import Identity
from rpclab.rpc.packets import DATA, END, MESSAGE, packet
from rpclab.secret import load_secret
from rpclab.world.real import RealWorld

Start = Callable[..., LocalCluster]


@pytest.fixture
def through() -> Callable[..., Client]:
    """A client of the cluster that reaches the manager through a tap."""

    def connect(cluster: LocalCluster, tap: Tap) -> Client:
        identity = Identity("ann", "client", load_secret(str(cluster.secret_file)))
        return Client(RealWorld(), identity, tap.address)

    return connect


def test_a_tap_hears_both_sides_in_whole_packets_and_no_secret(
    start_cluster: Start, through: Callable[..., Client]
) -> None:
    cluster = start_cluster(servers=0)
    with Tap(cluster.addresses["manager"]) as tap, through(cluster, tap) as client:
        assert client.manager.string("a word") == "a word"
        asked, answered = dissect(tap.said("caller")), dissect(tap.said("node"))
        assert asked.rest == answered.rest == b""
        assert [b'"hello"' in asked[0].payload, b'"prove"' in asked[1].payload] == [True, True]
        assert b"a word" in asked[2].payload and b"a word" in answered[2].payload
        secret = load_secret(str(cluster.secret_file))
        assert secret not in tap.said() and secret.hex().encode() not in tap.said()


def test_a_tap_that_changes_what_is_said_is_believed_without_tls(
    start_cluster: Start, through: Callable[..., Client]
) -> None:
    cluster = start_cluster(servers=0)
    with Tap(cluster.addresses["manager"]) as tap, through(cluster, tap) as client:
        client.connect()
        tap.alter = lambda data: data.replace(b"10 euros", b"90 euros")
        assert client.manager.string("pay 10 euros") == "pay 90 euros"


def test_what_was_recorded_says_nothing_a_second_time(start_cluster: Start, through: Callable[..., Client]) -> None:
    cluster = start_cluster(servers=0)
    with Tap(cluster.addresses["manager"]) as tap, through(cluster, tap) as client:
        client.manager.string("a word")
        recorded = tap.said("caller")
    answer = dissect(say(cluster.addresses["manager"], recorded))
    assert len(answer) == 2 and b'"code":122' in answer[1].payload
    assert b"a word" not in b"".join(each.payload for each in answer)


def test_a_tap_whose_node_is_gone_ends_its_caller(start_cluster: Start, through: Callable[..., Client]) -> None:
    cluster = start_cluster(servers=0, judged=False)
    with Tap(cluster.addresses["manager"]) as tap, through(cluster, tap) as client:
        cluster.kill("manager")
        with pytest.raises(RpclabError):
            client.manager.string("a word")
        tap.close()


def test_of_a_silent_crowd_some_find_no_room_and_the_rest_is_put_out(start_cluster: Start) -> None:
    node = start_cluster(servers=0).serve("door", limits=Limits(connections=5, handshake_s=0.3))
    stays = crowd(node.address, 12)
    assert (len(stays.turned_away), len(stays.put_out)) == (7, 5)
    assert min(stays.put_out) > 0.25 > max(stays.turned_away[:1])
    assert "12 strangers" in repr(stays) and "7" in stays._repr_html_()


def test_a_crowd_that_is_not_put_out_in_time_is_an_error(start_cluster: Start) -> None:
    node = start_cluster(servers=0).serve("door", limits=Limits(handshake_s=30))
    with pytest.raises(TimeoutError, match="2 of 2 strangers"):
        crowd(node.address, 2, within_s=0.2)


def test_bytes_are_taken_apart_into_packets_and_what_is_left() -> None:
    data = packet(MESSAGE, b'{"a":1}') + packet(DATA, b"x" * 65_536) + packet(END, bytes(32)) + b"D\0\0\x09abc"
    found = dissect(data)
    assert [(each.kind, len(each.payload)) for each in found] == [("message", 7), ("data", 65_536), ("end", 32)]
    assert found.rest == b"D\0\0\x09abc"
    assert b"".join(each.header + each.payload for each in found) + found.rest == data
    assert "3 packets" in repr(found) and "no packet" in repr(found)
    assert max(map(len, repr(found).splitlines())) <= 80
    assert dissect(b"") == [] and dissect(b"hello").rest == b"hello"


def test_pieces_are_the_same_bytes_whatever_the_seed_and_the_same_pieces_by_seed() -> None:
    writes = [b"one", b"two", b"three"]
    found = [pieces(writes, seed) for seed in range(30)]
    assert all(b"".join(each) == b"onetwothree" for each in found)
    assert found == [pieces(writes, seed) for seed in range(30)]
    assert len({tuple(each) for each in found}) > 5


def test_say_returns_what_is_answered_until_the_node_hangs_up(start_cluster: Start, tmp_path: pathlib.Path) -> None:
    cluster = start_cluster(servers=0)
    assert say(cluster.addresses["manager"], b"GET / HTTP/1.1\r\n\r\n") == b""


def test_waiting_ends_when_it_comes_true_and_in_time_when_it_does_not() -> None:
    answers = iter([0, "", "yes"])
    assert wait_for(lambda: next(answers)) is True
    with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
        wait_for(lambda: False, within_s=0.1)


def test_each_round_is_timed_by_itself() -> None:
    pauses = iter([0.0, 0.05, 0.0])
    took = timed(lambda: threading.Event().wait(next(pauses)), rounds=3)
    assert len(took) == 3 and took[1] >= 0.04 > max(took[0], took[2])


def test_all_at_once_overlap_and_what_one_raises_is_raised() -> None:
    met = threading.Barrier(4)  # nobody passes alone
    took = at_once(lambda: met.wait(10), 4)
    assert len(took) == 4 and took == sorted(took)
    with pytest.raises(ZeroDivisionError):
        at_once(lambda: 1 / 0, 2)
