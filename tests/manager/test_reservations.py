"""Bytes that were promised: counted, given back, too old."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rpclab.manager.reservations import Reservations

from .small import address

A, B = ("anna", "a"), ("anna", "b")


def test_what_is_promised_counts_on_each_server() -> None:
    promised = Reservations(10.0)
    promised.reserve("u", A, {address(0): 5, address(1): 7}, 0.0)
    promised.reserve("v", B, {address(0): 1}, 0.0)
    assert [promised.reserved(address(n)) for n in range(3)] == [6, 7, 0]
    assert promised.of_server(address(0)) == ["u", "v"]
    assert promised.of_upload("u") == [address(0), address(1)]
    assert promised.of_server(address(9)) == promised.of_upload("never heard of") == []


def test_a_file_is_open_until_the_last_of_its_uploads_has_given_back_its_last() -> None:
    promised = Reservations(10.0)
    promised.reserve("u", A, {address(0): 5, address(1): 0}, 0.0)
    promised.reserve("v", A, {address(0): 5}, 0.0)
    assert (promised.is_open(A), promised.is_open(B)) == (True, False)
    assert promised.release(address(0), "u") is None
    assert promised.release(address(1), "u") == A
    assert promised.is_open(A)
    assert promised.release(address(0), "v") == A
    assert not promised.is_open(A)


def test_giving_back_twice_gives_back_once() -> None:
    promised = Reservations(10.0)
    promised.reserve("u", A, {address(0): 5}, 0.0)
    assert promised.release(address(1), "u") is None
    assert promised.release(address(0), "u") == A
    assert promised.release(address(0), "u") is None
    assert promised.reserved(address(0)) == 0


def test_each_upload_is_named_once_when_its_time_is_over() -> None:
    promised = Reservations(10.0)
    promised.reserve("u", A, {address(0): 5}, 0.0)
    promised.reserve("v", B, {address(0): 5}, 1.0)
    promised.reserve("w", B, {address(0): 5}, 1.0)
    promised.release(address(0), "w")
    assert promised.expired(9.999) == []
    assert promised.expired(20.0) == ["u", "v"]
    assert promised.expired(20.0) == []


def test_an_upload_that_was_promised_anew_lasts_from_then_on() -> None:
    promised = Reservations(10.0)
    promised.reserve("u", A, {address(0): 5}, 0.0)
    promised.release(address(0), "u")
    promised.reserve("u", A, {address(1): 5}, 5.0)
    assert promised.expired(14.0) == []
    assert promised.expired(15.0) == ["u"]


class ReservationsModel(RuleBasedStateMachine):
    """Whatever is promised and given back, the sums are right, and nothing is left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.promised = Reservations(10.0)
        self.model: dict[int, tuple[tuple[str, str], float, dict[int, int]]] = {}
        self.now = 0.0

    @rule(
        upload=st.integers(0, 5),
        file=st.sampled_from([A, B]),
        sizes=st.dictionaries(st.integers(0, 3), st.integers(0, 9), min_size=1),
    )
    def reserve(self, upload: int, file: tuple[str, str], sizes: dict[int, int]) -> None:
        if upload not in self.model:
            self.promised.reserve(f"{upload}", file, {address(n): size for n, size in sizes.items()}, self.now)
            self.model[upload] = (file, self.now + 10.0, dict(sizes))

    @rule(upload=st.integers(0, 5), number=st.integers(0, 3))
    def release(self, upload: int, number: int) -> None:
        file, _, sizes = self.model.get(upload, (A, 0.0, {}))
        last = sizes.pop(number, None) is not None and not sizes
        assert self.promised.release(address(number), f"{upload}") == (file if last else None)
        if last:
            del self.model[upload]

    @rule(seconds=st.sampled_from([1.0, 4.0, 10.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        over = {upload for upload, (_, until, _) in self.model.items() if until <= self.now}
        assert {int(upload) for upload in self.promised.expired(self.now)} == over
        for upload in over:
            for number in list(self.model[upload][2]):
                self.release(upload, number)

    @invariant()
    def says_what_the_dictionaries_say(self) -> None:
        for n in range(4):
            holding = {upload: sizes[n] for upload, (_, _, sizes) in self.model.items() if n in sizes}
            assert self.promised.reserved(address(n)) == sum(holding.values())
            assert {int(upload) for upload in self.promised.of_server(address(n))} == holding.keys()
        for upload in range(6):
            sizes = self.model[upload][2] if upload in self.model else {}
            assert self.promised.of_upload(f"{upload}") == [address(n) for n in sorted(sizes)]
        for file in (A, B):
            assert self.promised.is_open(file) == any(each == file for each, _, _ in self.model.values())

    def teardown(self) -> None:
        self.tick(10.0)
        assert not any(kept for name, kept in vars(self.promised).items() if name != "_last_s")


TestReservationsModel = ReservationsModel.TestCase
TestReservationsModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
