"""What a receiver gets of several writes: pieces, cut and joined as the network likes. By seed, so that it can be shown again."""

from __future__ import annotations

from collections.abc import Sequence

from ..world.base import Stream

__all__ = ["pieces"]


def pieces(writes: Sequence[bytes], seed: int) -> list[bytes]:
    """Send these writes over a simulated TCP connection; returns what each receive of the other end gave."""
    from ..world.simulated import Conditions, Simulation  # here: who has no greenlet can read the rest

    simulation = Simulation(seed, Conditions(cut=0.4, joined=0.6))
    sender, receiver = (simulation.world(name, simulation.disk(name)) for name in ("sender", "receiver"))
    listening = receiver.network.listen(("receiver", 1))

    def send() -> None:
        stream = sender.network.connect(("receiver", 1), None)
        for each in writes:
            stream.send([each], None)
        stream.close()

    sender.tasks.spawn(send, "sends")
    received = simulation.run(lambda: _all(listening.accept()), receiver.life)
    simulation.close()
    assert isinstance(received, list)
    return received


def _all(stream: Stream | None) -> list[bytes]:
    assert stream is not None
    buffer, received = bytearray(65_536), list[bytes]()
    while count := stream.receive_into(memoryview(buffer), None):
        received.append(bytes(buffer[:count]))
    return received
