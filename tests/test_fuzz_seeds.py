"""The fuzzer's targets hold for every committed seed, and would notice a fault: without atheris, on every system."""

from __future__ import annotations

import hashlib
import importlib
import json
import pathlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fuzz
from fuzz import handshake, make_seeds
from fuzz.memory import MemoryStream
from rpclab.rpc import channel, messages

SEEDS = [
    pytest.param(target, path, id=f"{target}-{path.name}")
    for target in fuzz.TARGETS
    for path in sorted(make_seeds.FOLDER.joinpath(target).iterdir())
]


def check(target: str) -> Callable[[bytes], None]:
    found: Callable[[bytes], None] = importlib.import_module(f"fuzz.{target}").check
    return found


@pytest.mark.parametrize(("target", "seed"), SEEDS)
def test_a_seed_shows_no_fault(target: str, seed: pathlib.Path) -> None:
    check(target)(seed.read_bytes())


@pytest.mark.parametrize("target", fuzz.TARGETS)
@given(st.data())
def test_a_seed_that_was_changed_shows_no_fault(target: str, data: st.DataObject) -> None:
    seed = bytearray(
        data.draw(st.sampled_from([path for name, path in map(_values, SEEDS) if name == target])).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(seed)))
        seed[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(target)(bytes(seed))


def _values(parameters: object) -> tuple[str, pathlib.Path]:
    target, path = parameters.values  # type: ignore[attr-defined]
    return target, path


def test_the_seeds_are_small_and_among_them_are_whole_conversations() -> None:
    assert sum(path.stat().st_size for _, path in map(_values, SEEDS)) < 64 * 1024
    let_in = []
    for data in make_seeds.conversations():
        stream = MemoryStream(data[1:], 1000)
        (handshake.initiate if data[0] & 16 else handshake.respond)(stream)
        let_in.append(b'"result":true' in stream.sent or b'"method":"echo"' in stream.sent)
    assert True in let_in and False in let_in


# ---- the targets can fail


def test_a_reader_that_goes_beyond_the_limit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    take = channel.packets.PacketBuffer.next
    monkeypatch.setattr(channel.packets.PacketBuffer, "next", lambda self, limit: take(self, limit + 1))
    with pytest.raises(AssertionError):
        check("packets")(bytes([16]) + b"M\x00\x00\x11" + bytes(17))


def test_a_decoder_that_changes_a_message_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(message: object, out: bytearray) -> None:
        messages.encode(messages.Success(1, 1), out)

    monkeypatch.setattr(importlib.import_module("fuzz.messages"), "encode", careless)
    with pytest.raises(AssertionError):
        check("messages")(b'{"jsonrpc":"2.0","id":1,"result":2}')


def test_a_door_that_opens_without_the_proof_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = next(data for data in make_seeds.conversations() if b'"proof":"000' in data)
    check("handshake")(wrong)
    monkeypatch.setattr("rpclab.rpc.handshake.check_proof", lambda *args: None)
    with pytest.raises(AssertionError, match="without a proof"):
        check("handshake")(wrong)


def test_seeds_are_named_after_what_they_hold() -> None:
    for _, path in map(_values, SEEDS):
        data = path.read_bytes()
        assert path.name == hashlib.sha256(data).hexdigest()[:12]
    assert json.loads(make_seeds.message(make_seeds.requests()[0])[4:])["method"] == "echo"
