"""What is to be done about copies: rule by rule, how little it costs, and how it ends."""

from __future__ import annotations

from random import Random

import pytest

from rpclab.manager.directory import Directory
from rpclab.manager.upkeep import JUDGED, RETRY_S, SETTLE_S, SPARE_S, Bury, Copy, Trim, Upkeep, Work
from rpclab.records import FileRecord

from .small import ANNA, RESERVATION_S, address, directory_of, file, nodes, place, server, tombstone


def hold(directory: Directory, record: FileRecord, *numbers: int) -> None:
    for number in numbers:
        directory.add_files(address(number), [record])


def todo(directory: Directory, now: float) -> list[Work]:
    """All that is handed out once what has changed by `now` has settled."""
    directory.upkeep.waiting(now)
    works = []
    while (work := directory.upkeep.next(now + SETTLE_S)) is not None:
        works.append(work)
    return works


def only(directory: Directory, now: float) -> Work:
    (work,) = todo(directory, now)
    return work


class Judgments:
    """How many judgments were made since it was last asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count = 0
        judge = Upkeep._judge

        def counting(upkeep: Upkeep, key: tuple[str, str], now: float) -> tuple[int, Work] | None:
            self._count += 1
            return judge(upkeep, key, now)

        monkeypatch.setattr(Upkeep, "_judge", counting)

    def made(self) -> int:
        count, self._count = self._count, 0
        return count


# Copies that are missing.


def test_a_version_with_fewer_copies_than_wanted_is_copied_to_a_server_that_holds_none() -> None:
    directory = directory_of(0, 0, 0, replicas=3)
    hold(directory, file("a"), 1, 0)
    directory.suspect(address(0))
    work = only(directory, 0.0)
    assert isinstance(work, Copy)
    assert (work.file, work.key) == (file("a"), "anna/a")
    assert nodes(work.sources) == ["server1", "server0"]  # whom we trust is asked first
    assert work.excluded == {address(0), address(1)}


def test_of_servers_that_have_a_copy_the_one_that_sends_fewest_is_asked() -> None:
    directory = directory_of(0, 0, 0, 0, replicas=4)
    for name in "abcd":
        hold(directory, file(name), 0, 1, 2)
    directory.suspect(address(2))
    works = todo(directory, 0.0)
    asked = [nodes(work.sources) for work in works if isinstance(work, Copy)]
    assert [each[0] for each in asked] == ["server0", "server1", "server0", "server1"]
    assert {each[-1] for each in asked} == {"server2"}  # however little a suspected one sends
    for work in works[1], works[3]:  # those of server1
        directory.upkeep.worked(work, SETTLE_S, done=True)
    hold(directory, file("e"), 0, 1)
    further = todo(directory, 2 * SETTLE_S)
    assert [nodes(work.sources)[0] for work in further if isinstance(work, Copy)] == ["server1", "server1", "server0"]


def test_nothing_is_done_about_a_file_whose_copy_is_being_moved_however_long_that_takes() -> None:
    directory = directory_of(0, 0, 0)
    directory.upkeep.hold((ANNA, "a"))
    hold(directory, file("a"), 0, 1, 2)
    assert todo(directory, 0.0) == todo(directory, 2 * RESERVATION_S) == []
    directory.upkeep.let_go((ANNA, "a"), 3 * RESERVATION_S)
    assert isinstance(only(directory, 3 * RESERVATION_S), Trim)


def test_a_server_that_took_no_copy_is_spared_for_a_while_whatever_the_file() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0)
    hold(directory, file("b"), 0)
    directory.upkeep.refused(address(1), 0.0)
    assert [work.excluded for work in todo(directory, 0.0)] == [{address(0), address(1)}] * 2  # type: ignore[union-attr]
    hold(directory, file("c"), 0)
    directory.upkeep.refused(address(2), 1.0)
    assert todo(directory, 2.0) == [] and directory.upkeep.stuck == 1
    assert [work.key for work in todo(directory, SPARE_S + 1)] == ["anna/c"]


def test_a_server_that_comes_anew_is_spared_no_more() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0)
    directory.upkeep.refused(address(1), 0.0)
    assert todo(directory, 0.0) == []
    directory.add(server(1))
    assert only(directory, 2.0).key == "anna/a"


def test_a_change_is_looked_at_only_once_it_has_settled() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0)
    assert directory.upkeep.next(10.0) is None
    assert directory.upkeep.waiting(10.0 + SETTLE_S - 0.001) == 0
    assert directory.upkeep.waiting(10.0 + SETTLE_S) == 1


def test_whole_files_are_no_work() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0, 1)
    assert todo(directory, 0.0) == []


def test_each_file_s_owner_says_how_many_copies_it_wants() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("one", wanted=1), 0, 1)
    hold(directory, file("cluster's"), 0, 1)
    hold(directory, file("three", wanted=3), 0, 1)
    copy, trim = todo(directory, 0.0)
    assert isinstance(copy, Copy)
    assert copy.file.name == "three"
    assert isinstance(trim, Trim)
    assert trim.file.name == "one"


def test_the_rarest_is_copied_first_and_removing_comes_last() -> None:
    directory = directory_of(*[0] * 8)
    hold(directory, file("too many"), 0, 1, 2)
    hold(directory, file("buried"), 0)
    hold(directory, tombstone("buried"), 1)
    hold(directory, file("5 of 6", wanted=6), 0, 1, 2, 3, 4)
    hold(directory, file("2 of 6", wanted=6), 0, 1)
    hold(directory, file("1 of 2", wanted=2), 2)
    hold(directory, file("1 of 3", wanted=3), 3)
    hold(directory, file("2 of 3", wanted=3), 4, 5)
    works = todo(directory, 0.0)
    copies = [work.file.name for work in works if isinstance(work, Copy)]
    assert copies == ["1 of 3", "1 of 2", "2 of 6", "2 of 3", "5 of 6"]
    assert {work.key for work in works[5:]} == {"anna/too many", "anna/buried"}


def test_of_a_file_s_versions_the_rarest_is_copied_first_then_the_newest() -> None:
    directory = directory_of(0, 0, 0, 0, replicas=3)
    hold(directory, file("a", 1), 0)
    hold(directory, file("a", 2), 0, 1)
    hold(directory, file("a", 3), 1)
    seen = []
    for now in range(4):
        work = only(directory, now)
        assert isinstance(work, Copy)
        seen.append(work.file.version)
        hold(directory, work.file, next(n for n in range(4) if address(n) not in work.excluded))
        directory.upkeep.worked(work, now + SETTLE_S, done=True)
    assert seen == [3, 1, 3, 2]


def test_what_became_rarer_while_it_waited_is_more_urgent_and_what_is_whole_is_forgotten() -> None:
    directory = directory_of(0, 0, 0, 0, replicas=3)
    for name in "abc":
        hold(directory, file(name), 0, 1)
    assert directory.upkeep.waiting(0.0) == 0
    assert directory.upkeep.waiting(1.0) == 3
    directory.update(address(0), stored_bytes=0, report=1, removed=[file("c")])
    hold(directory, file("a"), 2)
    assert directory.upkeep.waiting(1.0) == 3
    assert directory.upkeep.waiting(2.0) == 2
    assert [work.key for work in todo(directory, 2.0)] == ["anna/c", "anna/b"]


def test_nobody_is_given_a_file_that_another_works_on() -> None:
    directory = directory_of(0, 0, 0, replicas=3)
    hold(directory, file("a"), 0)
    work = only(directory, 0.0)
    assert directory.upkeep.works_on((ANNA, "a"))
    hold(directory, file("a"), 1)
    assert todo(directory, 10.0) == []
    directory.upkeep.worked(work, 20.0, done=True)
    assert not directory.upkeep.works_on((ANNA, "a"))
    assert isinstance(only(directory, 20.0), Copy)


# Servers that went.


def test_a_server_that_went_is_waited_for_before_its_copies_count_as_lost() -> None:
    directory = directory_of(0, 0, 0, dead_s=10.0)
    hold(directory, file("a"), 0, 1)
    assert todo(directory, 0.0) == []
    directory.remove(address(1), heard=100.0)
    assert todo(directory, 101.0) == []
    assert directory.upkeep.next(109.999) is None
    work = directory.upkeep.next(110.0)
    assert isinstance(work, Copy)
    assert nodes(work.sources) == ["server0"]


def test_a_server_that_is_back_in_time_makes_no_work() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0, 1)
    directory.remove(address(1), heard=100.0)
    assert todo(directory, 101.0) == []
    directory.add(server(1))
    hold(directory, file("a"), 1)
    for now in range(102, 130):
        assert directory.upkeep.next(now) is None


def test_a_server_that_is_back_without_a_copy_is_not_waited_for_any_longer() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0, 1)
    directory.remove(address(1), heard=100.0)
    directory.add(server(1))
    assert isinstance(only(directory, 101.0), Copy)


def test_a_silent_server_that_was_declared_dead_is_not_waited_for_again() -> None:
    directory = directory_of(0, 0, 0, dead_s=10.0)
    hold(directory, file("a"), 0, 1)
    directory.remove(address(1), heard=100.0)
    assert isinstance(only(directory, 110.5), Copy)


def test_nobody_is_waited_for_who_could_not_make_up_for_all_that_is_missing() -> None:
    directory = directory_of(0, 0, 0, 0, replicas=3)
    hold(directory, file("a"), 0, 1)
    directory.remove(address(1), heard=100.0)
    assert isinstance(only(directory, 100.0), Copy)


def test_a_file_whose_last_server_went_is_no_work_until_it_is_back() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0)
    directory.remove(address(0), heard=0.0)
    assert todo(directory, 50.0) == []
    directory.add(server(0))
    hold(directory, file("a"), 0)
    assert isinstance(only(directory, 60.0), Copy)


# No server for a copy.


def test_a_file_without_another_server_is_work_once_one_comes() -> None:
    directory = directory_of(0)
    directory.add(server(1, wire="document"))  # not one of ours
    hold(directory, file("a"), 0)
    assert todo(directory, 0.0) == []
    assert (directory.upkeep.stuck, directory.upkeep.waiting(100.0)) == (1, 0)
    directory.add(server(2))
    assert isinstance(only(directory, 100.0), Copy)
    assert directory.upkeep.stuck == 0


def test_a_file_without_room_is_work_once_there_is_some() -> None:
    directory = directory_of(60, 60, quota_bytes=100)
    hold(directory, file("a", size=50), 0)
    assert todo(directory, 0.0) == []
    assert directory.upkeep.stuck == 1
    directory.update(address(1), stored_bytes=55, report=1)
    assert todo(directory, 10.0) == []
    assert directory.upkeep.stuck == 1
    directory.update(address(1), stored_bytes=50, report=2)
    assert isinstance(only(directory, 20.0), Copy)


def test_room_that_an_upload_had_and_gave_back_is_room() -> None:
    directory = directory_of(0, 0, quota_bytes=100)
    hold(directory, file("a", size=50), 0)
    place(directory, "b", 60, now=0.0, exclude={address(0)})
    assert todo(directory, 0.0) == []
    directory.placing.release("upload of b")
    assert isinstance(only(directory, 2.0), Copy)


def test_room_that_an_upload_had_for_too_long_is_room_though_nobody_else_asks() -> None:
    directory = directory_of(0, 0, quota_bytes=100)
    hold(directory, file("a", size=50), 0)
    place(directory, "b", 60, now=0.0, exclude={address(0)})
    assert todo(directory, RESERVATION_S - SETTLE_S - 0.001) == []
    assert isinstance(only(directory, RESERVATION_S), Copy)


def test_a_server_that_came_while_the_others_were_tried_in_vain_is_not_missed() -> None:
    directory = directory_of(0, 0, quota_bytes=100)
    hold(directory, file("a", size=50), 0)
    work = only(directory, 0.0)
    directory.update(address(1), stored_bytes=90, report=1)
    directory.add(server(2))
    assert todo(directory, 5.0) == []  # somebody is at it
    directory.upkeep.worked(work, 10.0, done=False, no_server=True)
    assert isinstance(only(directory, 10.0), Copy)


def test_nobody_with_room_after_all_is_stuck_until_there_is() -> None:
    directory = directory_of(0, 0, quota_bytes=100)
    hold(directory, file("a", size=50), 0)
    work = only(directory, 0.0)
    directory.update(address(1), stored_bytes=90, report=1)
    directory.upkeep.worked(work, 10.0, done=False, no_server=True)
    assert todo(directory, 10.0) == []
    assert directory.upkeep.stuck == 1
    directory.update(address(1), stored_bytes=0, report=2)
    assert isinstance(only(directory, 20.0), Copy)


def test_a_version_too_large_for_all_does_not_hold_up_the_others() -> None:
    directory = directory_of(0, 0, quota_bytes=100)
    hold(directory, file("a", 1, size=10), 0)
    hold(directory, file("a", 2, size=500), 0)
    work = only(directory, 0.0)
    assert isinstance(work, Copy)
    assert work.file.version == 1
    assert directory.upkeep.stuck == 1


# What fails.


def test_what_failed_is_tried_again_after_a_while() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0)
    work = only(directory, 0.0)
    directory.upkeep.worked(work, 10.0, done=False)
    hold(directory, file("b"), 0)
    hold(directory, file("a"), 0)  # said again, which is no reason to hurry
    directory.upkeep.waiting(10.0)
    assert [each.key for each in todo(directory, 10.0 + RETRY_S - SETTLE_S - 0.001)] == ["anna/b"]
    again = directory.upkeep.next(10.0 + RETRY_S)
    assert again is not None
    assert again.key == "anna/a"


def test_a_version_that_can_not_be_copied_does_not_hold_up_the_file_s_others_nor_its_burial() -> None:
    directory = directory_of(0, 0)
    for version in (1, 2, 3):
        hold(directory, file("a", version), 0)
    hold(directory, tombstone("a", 1), 1)
    now, seen = 0.0, []
    for _ in range(3):
        (work,) = todo(directory, now)
        seen.append(work.version if isinstance(work, Bury) else work.file.version)
        directory.upkeep.worked(work, now + SETTLE_S, done=False)
    assert seen == [3, 2, 1]
    assert todo(directory, now) == []
    assert isinstance(only(directory, now + RETRY_S), Copy)


# Files that somebody is writing.


def test_a_file_with_an_open_upload_is_left_alone_until_it_ends() -> None:
    directory = directory_of(0, 0, 0)
    place(directory, "a", wanted=2, now=0.0)
    directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")], upload="upload of a")
    assert todo(directory, 50.0) == []
    directory.placing.release("upload of a")
    assert isinstance(only(directory, 52.0), Copy)


def test_an_upload_of_which_nothing_is_heard_any_more_ends_by_itself() -> None:
    directory = directory_of(0, 0, 0)
    place(directory, "a", wanted=2, now=0.0)
    directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")], upload="upload of a")
    assert todo(directory, RESERVATION_S - 2 * SETTLE_S) == []
    assert isinstance(only(directory, RESERVATION_S), Copy)


# Copies too many.


def test_of_copies_too_many_the_fullest_server_s_goes() -> None:
    directory = directory_of(5, 30, 20)
    hold(directory, file("a"), 0, 1, 2)
    work = only(directory, 0.0)
    assert isinstance(work, Trim)
    assert (nodes(work.keepers), work.extra.node, work.key) == (["server0", "server2"], "server1", "anna/a")


def test_several_trims_at_once_take_from_equally_full_servers_in_turn() -> None:
    directory = directory_of(100, 100, 100)
    for name in "abc":
        hold(directory, file(name), 0, 1, 2)
    works = todo(directory, 0.0)
    assert [work.extra.node for work in works if isinstance(work, Trim)] == ["server2", "server1", "server0"]
    directory.upkeep.worked(works[0], SETTLE_S, done=False)
    hold(directory, file("d"), 0, 1, 2)
    assert isinstance(work := only(directory, SETTLE_S), Trim) and work.extra.node == "server2"


def test_of_several_copies_too_many_one_goes_at_a_time() -> None:
    directory = directory_of(1, 2, 3, 4, replicas=1)
    hold(directory, file("a"), 0, 1, 2, 3)
    for number, now in ((3, 0.0), (2, 2.0), (1, 4.0)):
        work = only(directory, now)
        assert isinstance(work, Trim)
        assert work.extra.address == address(number)
        directory.update(address(number), stored_bytes=0, report=1, removed=[file("a")])
        directory.upkeep.worked(work, now + SETTLE_S, done=True)
    assert todo(directory, 10.0) == []


def test_nothing_is_removed_while_one_of_the_holders_is_suspected() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0, 1, 2)
    directory.suspect(address(1))
    for now in range(0, 30, 2):
        assert todo(directory, now) == []
    directory.trust(address(1))
    assert isinstance(only(directory, 30.0 + RETRY_S), Trim)


def test_nothing_is_removed_while_another_holder_may_be_back_in_a_moment() -> None:
    directory = directory_of(0, 0, 0, 0)
    hold(directory, file("a"), 0, 1, 2, 3)
    directory.remove(address(3), heard=0.0)
    assert todo(directory, 5.0) == []
    assert isinstance(only(directory, 15.0), Trim)


# What is deleted, or older than those that stay.


def test_copies_under_a_tombstone_are_buried_wherever_they_lie() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a", 1), 1)
    hold(directory, file("a", 2), 1, 2)
    hold(directory, tombstone("a", 5), 0)
    for number, now in ((1, 0.0), (2, 2.0)):
        work = only(directory, now)
        assert isinstance(work, Bury)
        assert (work.server.node, work.client, work.name, work.version) == (f"server{number}", ANNA, "a", 5)
        assert work.key == "anna/a"
        directory.update(address(number), stored_bytes=0, report=1, stored=[tombstone("a", 5)])
        directory.upkeep.worked(work, now + SETTLE_S, done=True)
    assert todo(directory, 10.0) == []
    assert directory.total_files == 0


def test_versions_older_than_those_that_stay_are_buried_and_not_copied() -> None:
    directory = directory_of(0, 0, keep=2)
    for version in (1, 2):
        hold(directory, file("a", version), 0)
    for version in (3, 4):
        hold(directory, file("a", version), 0, 1)
    work = only(directory, 0.0)
    assert isinstance(work, Bury)
    assert (work.server.node, work.version) == ("server0", 2)


def test_an_older_version_stays_while_one_that_displaces_it_lacks_a_copy_that_another_server_could_hold() -> None:
    directory = directory_of(0, 0, keep=1, quota_bytes=50)
    hold(directory, file("a", 1, 20), 0)
    hold(directory, file("a", 2, 40), 1)
    directory.update(address(0), stored_bytes=20, report=1)
    directory.update(address(1), stored_bytes=40, report=1)
    assert todo(directory, 0.0) == []
    assert directory.upkeep.stuck == 1
    directory.update(address(0), stored_bytes=50, report=2, stored=[file("a", 2, 40)])
    assert isinstance(only(directory, 3.0), Bury)


def test_an_older_version_goes_where_no_other_server_could_hold_a_newer_one() -> None:
    directory = directory_of(0, keep=1)
    for version in (1, 2):
        hold(directory, file("a", version), 0)
    assert isinstance(only(directory, 0.0), Bury)


def test_a_server_over_its_quota_that_has_room_again_is_another_server() -> None:
    directory = directory_of(0, 60, quota_bytes=50)
    hold(directory, file("a"), 0)
    assert todo(directory, 0.0) == []
    directory.update(address(1), stored_bytes=10, report=1)
    assert isinstance(only(directory, 3.0), Copy)


def test_what_is_missing_is_copied_before_anything_is_buried() -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a", 1), 0)
    hold(directory, tombstone("a", 1), 1)
    hold(directory, file("a", 2), 1)
    assert isinstance(only(directory, 0.0), Copy)


def test_a_server_that_was_away_during_a_delete_is_told_when_it_is_back() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0, 1)
    directory.remove(address(1), heard=0.0)
    directory.update(address(0), stored_bytes=0, report=1, stored=[tombstone("a")], removed=[file("a")])
    assert todo(directory, 50.0) == []
    directory.add(server(1))
    hold(directory, file("a"), 1)
    assert isinstance(only(directory, 60.0), Bury)


# Copies that differ.


def test_of_copies_that_differ_only_those_alike_count_and_no_other_is_overwritten() -> None:
    directory = directory_of(0, 0, 0, 0, replicas=3)
    hold(directory, file("a", digest="x"), 0, 2)
    hold(directory, file("a", digest="y"), 1)
    work = only(directory, 0.0)
    assert isinstance(work, Copy)
    assert (work.file.digest, nodes(work.sources)) == ("x", ["server0", "server2"])
    assert work.excluded == {address(0), address(1), address(2)}


# What it costs.


def test_a_look_with_nothing_to_do_judges_none_of_100_000_files(monkeypatch: pytest.MonkeyPatch) -> None:
    judgments = Judgments(monkeypatch)
    directory = directory_of(0, replicas=1)
    directory.add_files(address(0), (file(f"{number}") for number in range(100_000)))
    now = 0.0
    directory.upkeep.waiting(now)
    while directory.upkeep._due:
        now += 1.0
        assert directory.upkeep.waiting(now) == 0
        assert judgments.made() <= JUDGED
    for _ in range(100):
        now += 1.0
        assert directory.upkeep.next(now) is None
    assert judgments.made() == 0
    directory.update(address(0), stored_bytes=0, report=1, stored=[file("1", 2)])
    assert todo(directory, now) == []
    assert judgments.made() == 1


def test_a_file_about_which_much_is_said_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = directory_of(0, 0, 0)
    judgments = Judgments(monkeypatch)
    for number in (0, 1):
        for now in range(10):
            directory.update(address(number), stored_bytes=0, stored=[file("a")])
            directory.upkeep.waiting(now / 100)
    assert todo(directory, 1.0) == []
    assert judgments.made() == 1


def test_waiting_for_a_suspected_server_costs_a_judgment_each_while_however_often_it_is_mentioned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = directory_of(0, 0, 0)
    hold(directory, file("a"), 0, 1, 2)
    directory.suspect(address(1))
    for now in range(0, 40, 2):
        hold(directory, file("a"), 0)
        assert todo(directory, now) == []
    judgments = Judgments(monkeypatch)
    for now in range(50, 50 + 10 * int(RETRY_S)):
        assert directory.upkeep.next(now) is None
    assert judgments.made() <= 11


def test_a_death_is_settled_in_looks_that_are_bounded_and_then_all_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [file(f"{number}") for number in range(10_000)]
    directory = directory_of(0, 0, 0)
    for number in (0, 1):
        directory.add_files(address(number), files)
    for now in range(10):
        assert directory.upkeep.waiting(now) == 0
    judgments = Judgments(monkeypatch)
    directory.remove(address(1), heard=10.0)
    seen = []
    for now in range(20, 40):
        seen.append(directory.upkeep.waiting(now))
        assert judgments.made() <= JUDGED
    assert seen[-1] == 10_000
    assert seen == sorted(seen)
    directory.upkeep.next(40.0)
    assert judgments.made() == 1


def test_work_is_done_in_the_end_though_the_policy_fails_now_and_then() -> None:
    directory, random, now = directory_of(0, 0, 0, replicas=3), Random(1), 0.0
    for number in range(20):
        hold(directory, file(f"{number}"), number % 3)
    reports = 0
    for _ in range(2000):
        work = directory.upkeep.next(now)
        if work is None:
            now += 1.0
            continue
        assert isinstance(work, Copy)
        if done := random.random() < 0.5:
            target = next(n for n in range(3) if address(n) not in work.excluded)
            reports += 1
            directory.update(address(target), stored_bytes=0, report=reports, stored=[work.file])
        directory.upkeep.worked(work, now, done=done)
    assert reports == 40
    assert directory.upkeep.waiting(now) == 0


def test_it_can_tell_for_whom_it_waits_and_how_long_still() -> None:
    directory = directory_of(0, 0)
    hold(directory, file("a"), 0, 1)
    hold(directory, file("a", version=2), 0, 1)
    directory.remove(address(1), heard=100.0)
    assert directory.upkeep.awaited(103.0) == {address(1): (7.0, 1)}
    assert directory.upkeep.awaited(110.0) == {}
