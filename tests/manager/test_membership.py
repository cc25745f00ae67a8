"""Who is here: silence in two steps, registrations that replace one another, and when a fresh manager may act."""

from __future__ import annotations

import pytest

from rpclab.errors import UsageError
from rpclab.manager.membership import Membership
from rpclab.manager.settings import Settings

A, B = ("127.0.0.1", 1), ("127.0.0.1", 2)
SETTINGS = Settings(heartbeat_s=1.0, dead_s=10.0, safe_s=30.0)


def members(now: float = 0.0) -> Membership:
    return Membership(SETTINGS, now)


def register(members: Membership, address: tuple[str, int] = A, now: float = 0.0, connection: str = "first") -> int:
    return members.register(address, f"server{address[1]}", connection, now, watched=True, end=lambda: None)


def look(members: Membership, *times: float) -> list[tuple[float, str, str]]:
    return [(now, change.what, change.node) for now in times for change in members.look(now)]


def steps(end: float, start: float = 0.5) -> list[float]:
    """The times at which a manager looks: every half a second."""
    return [start + 0.5 * step for step in range(int((end - start) / 0.5) + 1)]


def test_a_server_that_speaks_is_never_suspected() -> None:
    here = members()
    register(here)
    for now in steps(60):
        here.heard(A, "first", now - 0.4)
        assert here.look(now) == []


def test_silence_makes_suspected_after_one_missed_heartbeat_and_dead_after_dead_s() -> None:
    here = members()
    register(here)
    assert look(here, *steps(10.5)) == [(2.5, "suspected", "server1"), (10.5, "dead", "server1")]


def test_a_suspected_server_that_speaks_again_is_trusted() -> None:
    here = members()
    register(here)
    assert look(here, *steps(3)) == [(2.5, "suspected", "server1")]
    assert here.suspected == ["server1"]
    here.heard(A, "first", 3.2)
    assert look(here, 3.5) == [(3.5, "trusted", "server1")]
    assert here.suspected == []


def test_a_sign_of_life_over_an_older_connection_does_not_count() -> None:
    here = members()
    register(here)
    register(here, connection="second")
    for now in steps(3):
        here.heard(A, "first", now)
        changes = here.look(now)
    assert [change.what for change in here.look(3.5)] == [] and here.suspected == ["server1"], changes


def test_a_manager_that_slept_blames_nobody() -> None:
    here = members()
    register(here)
    assert look(here, 0.5, 1.0, 100.0) == []
    assert look(here, *steps(103, 100.5)) == [(102.5, "suspected", "server1")]


def test_only_the_valid_registration_can_end() -> None:
    here = members()
    first = register(here)
    second = register(here, now=1.0, connection="second")
    assert here.forget(A, first) is None and here.number(A) == second
    assert here.forget(A, second) == 1.0 and here.number(A) is None
    assert here.forget(A, second) is None


def test_who_need_not_send_heartbeats_is_not_missed() -> None:
    here = members()
    here.register(A, "document", "first", 0.0, watched=False, end=lambda: None)
    assert look(here, *steps(60)) == []


def test_safe_mode_ends_once_all_that_were_heard_of_have_told_their_files() -> None:
    here = members()
    register(here)
    assert here.safe_mode and not here.leaves_safe_mode(9.9)
    assert "all 1 servers" in here.leaves_safe_mode(10.0)
    assert not here.safe_mode and not here.leaves_safe_mode(11.0)


def test_safe_mode_waits_for_one_that_is_still_telling_but_not_for_ever() -> None:
    here = members()
    here.join("b", 0)
    assert not here.leaves_safe_mode(29.9)
    assert "1 servers have not told" in here.leaves_safe_mode(30.0)


@pytest.mark.parametrize("ended", ["registered", "gave up"])
def test_who_has_told_everything_or_given_up_is_waited_for_no_longer(ended: str) -> None:
    here = members()
    here.join("b", 0)
    assert not here.leaves_safe_mode(12.0)
    register(here, B, 12.0, "b") if ended == "registered" else here.give_up("b")
    assert here.leaves_safe_mode(12.5)


@pytest.mark.parametrize(
    "wrong", [{"heartbeat_s": 0}, {"dead_s": 2.0}, {"keep": 0}, {"repairs": 0}, {"scrub_bytes_s": -1}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong)))):
        Settings(**wrong)


def test_a_manager_that_was_started_again_gives_its_servers_a_second() -> None:
    here = members()
    assert not here.knows_newest(0.5)
    here.join("b", 7)
    register(here, B, 0.1, "b")
    assert not here.knows_newest(0.5) and here.knows_newest(1.0)
    here.join("a", 7)
    assert not here.knows_newest(2.0)
    here.give_up("a")
    assert here.knows_newest(2.0)


def test_the_first_manager_of_a_cluster_has_nothing_old_to_wait_for() -> None:
    here = members()
    here.join("b", 0)
    assert not here.knows_newest(0.1)
    register(here, B, 0.1, "b")
    assert here.knows_newest(0.1)
