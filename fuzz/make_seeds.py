"""Writes `seeds/` anew, from conversations as they are really held: `python -m fuzz.make_seeds`."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
from typing import Any

from rpclab.errors import HandshakeError, NoServer, RemoteError
from rpclab.records import FileRecord
from rpclab.rpc import packets
from rpclab.rpc.messages import Failure, Request, Success, encode, failure

from .handshake import proof
from .memory import NONCE

__all__ = ["main"]

FOLDER = pathlib.Path(__file__).parent / "seeds"
FILE = FileRecord("client1", "photo.png", 5, "0" * 64, 1 << 32, saved=1.5)
STAMP = ("client1", 12, 34)
HELLO = {"version": 1, "role": "client", "node": "client1", "nonce": "ab" * 32}
SERVER = {"version": 1, "role": "server", "node": "server1", "nonce": NONCE.hex()}
MANAGER = HELLO | {"role": "manager", "node": "manager"}


def message(value: Request | Success | Failure) -> bytes:
    """One message as a packet, made by the code that the nodes use."""
    out = bytearray()
    encode(value, out)
    return bytes(out)


def requests() -> list[Request]:
    calls: list[tuple[str, Any]] = [
        ("echo", ["hi"]),
        ("get_server", [["127.0.0.1", 65433]]),
        ("add_server", {"address": ["127.0.0.1", 65433], "capacity": 5, "node": "server1"}),
        ("update_server", [["127.0.0.1", 65433], 5]),
        ("add_files", [["127.0.0.1", 65433], [json.loads(json.dumps(vars_of(FILE)))]]),
        ("place_file", ["client1", "photo.png", 5, "upload"]),
        ("find_file", {"client": "client1", "name": "photo.png"}),
        ("list_files", [None, ["client1", "photo.png"], 10]),
        ("send_filename", {"filename": "photo.png", "size": 5, "upload": "u", "version": 7, "client": "client1"}),
        ("confirm_file", ["u"]),
        ("get_file", ["photo.png", "client1"]),
        ("delete_file", ["photo.png", "client1", 7]),
        ("add", [1, 2.5]),
        ("add", {"a": 1e15, "b": -0.0}),
        ("tell", {"text": "x", "times": 3, "more": {"deep": [[[1]]]}}),
        ("keep", [vars_of(FILE), [["127.0.0.1", 1]]]),
        ("nonsense", []),
        ("rpc.describe", []),
    ]
    made = [Request(method, params, number, STAMP, 10_000) for number, (method, params) in enumerate(calls)]
    return [
        *made,
        Request("heartbeat", [2**60, "Ü日\U0001f600"]),
        Request("echo", [], "a-name"),
        Request("echo", [], None),
    ]


def responses() -> list[Success | Failure]:
    return [
        Success(1, True, STAMP),
        Success("a-name", {"file": vars_of(FILE), "servers": []}),
        Success(2, [None, 1.5, -(2**63), 2**64, "text", [], {}]),
        failure(3, NoServer("no server can take it", node="manager")),
        failure(None, RemoteError("x")),
        failure(4, ZeroDivisionError("division by zero")),
    ]


def vars_of(record: FileRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


WRONG = [
    b"[]",
    b"hello",
    b"[" * 80,
    b'{"a":' * 80,
    b'{"jsonrpc":"2.0","id":1,"method":"add","params":[NaN]}',
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"tell","params":["\\ud800"]}',
    b'{"jsonrpc":"2.0","id":{},"method":"tell","params":["x"]}',
    b'{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"x"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tell","params":' + b"[" * 70 + b"]" * 70 + b"}",
    b'{"jsonrpc":"1.0","id":1,"method":"add"}',
    b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 400 + b"}",
]


def conversations() -> list[bytes]:
    """What a peer says in a handshake, after one byte that says to whom and how it comes."""
    hello = message(Request("hello", HELLO, 1))
    prove = message(Request("prove", {"proof": proof("initiator", HELLO, SERVER)}, 2))
    wrong = message(Request("prove", {"proof": "0" * 64}, 2))
    calls = message(Request("echo", ["hi"], 3)) + message(Request("nonsense", [], 4))
    answer = message(Success(1, {"hello": MANAGER, "proof": proof("responder", SERVER, MANAGER)}))
    welcome = message(Success(2, True)) + message(Success(1, 1))
    full = message(failure(None, HandshakeError("no")))
    asked = [
        hello + prove + calls,
        hello + prove,
        hello + wrong,
        hello,
        hello[:50],
        prove,
        b'["string", ["hi"], {}]',
        b"\x16\x03\x01",
    ]
    asked += [
        message(Request("hello", HELLO | change, 1)) for change in ({"version": 2}, {"role": "root"}, {"node": "../x"})
    ]
    asked += [
        hello + prove + calls + b"M\x00\x00\x02[]",
        hello + prove + b"D\x00\x00\x01x",
        hello + prove + b"A\x00\x00\x03bye",
    ]
    answered = [
        answer + welcome,
        answer,
        answer[:60],
        message(Success(1, 5)),
        full,
        message(Success(1, {"hello": HELLO})),
    ]
    return [bytes([7]) + each for each in asked] + [bytes([7 | 16]) + each for each in answered]


def streams() -> list[bytes]:
    """Packets of all kinds, in pieces of several sizes."""
    a_file = b"".join(map(bytes, packets.split(memoryview(b"hello")))) + packets.packet(packets.END, bytes(32))
    talk = message(Request("echo", ["hi"], 1)) + a_file + packets.packet(packets.ABORT, b"the file shrank")
    flags = [0, 1, 3, 7, 8, 16, 32, 33, 64, 65 | 32]
    wrong = [
        b"M\xff\xff\xff",
        b"M\x01\x00\x01",
        b"D\x00\x00\x00",
        b"\x16\x03\x01",
        talk[:7],
        talk[:-1],
        b"M\x00\x00\x00" * 9,
    ]
    return (
        [bytes([each]) + talk for each in flags]
        + [bytes([2]) + each for each in wrong]
        + [bytes([9]) + talk[:4] + bytes(20)]
    )


def main() -> None:
    payloads = [message(each)[4:] for each in [*requests(), *responses()]] + WRONG
    shutil.rmtree(FOLDER, ignore_errors=True)
    for target, seeds in (("packets", streams()), ("messages", payloads), ("handshake", conversations())):
        folder = FOLDER / target
        folder.mkdir(parents=True)
        for seed in seeds:
            folder.joinpath(hashlib.sha256(seed).hexdigest()[:12]).write_bytes(seed)


if __name__ == "__main__":
    main()
