"""Simulated tasks: one at a time, in an order that the seed decides, and gone at once when their node dies."""

from __future__ import annotations

import pytest

from rpclab.errors import ClusterError, ConnectionLost
from rpclab.world.simulated import SimulatedWorld, Simulation


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(1)


def world(simulation: Simulation, node: str = "a") -> SimulatedWorld:
    return simulation.world(node, simulation.disk(node))


def test_time_jumps_to_the_next_thing_that_happens(simulation: Simulation) -> None:
    one, order = world(simulation), list[str]()

    def sleeper(name: str, seconds: float) -> None:
        one.clock.sleep(seconds)
        order.append(f"{name} {one.clock.now():g}")

    one.tasks.spawn(lambda: sleeper("late", 3000), "late")
    simulation.run(lambda: sleeper("early", 1000))
    assert order == ["early 1000"]
    simulation.run(lambda: one.clock.sleep(5000))
    assert order == ["early 1000", "late 3000"]


def test_a_condition_wakes_at_once_when_notified_and_in_time_when_not(simulation: Simulation) -> None:
    one = world(simulation)
    changed = one.tasks.condition()

    def wait(seconds: float) -> tuple[bool, float]:
        began = one.clock.now()
        with changed:
            return changed.wait(seconds), one.clock.now() - began

    def notify() -> None:
        one.clock.sleep(1)
        with changed:
            changed.notify_all()

    one.tasks.spawn(notify, "notifies")
    woken, seconds = simulation.run(lambda: wait(10))
    assert woken and 1 <= seconds < 1.01
    woken, seconds = simulation.run(lambda: wait(10))
    assert not woken and 10 <= seconds < 10.01
    woken, seconds = simulation.run(lambda: wait(2))  # earlier than the timer of the wait before
    assert not woken and 2 <= seconds < 2.01


def test_a_lock_is_held_by_one_task_though_others_are_given_turns(simulation: Simulation) -> None:
    one = world(simulation)
    lock, inside, most = one.tasks.lock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with lock:
                inside += 1
                most = max(most, inside)
                one.clock.sleep(0.001)
                inside -= 1

    tasks = [one.tasks.spawn(work, f"works-{number}") for number in range(5)]
    simulation.run(lambda: [task.join() for task in tasks])
    assert most == 1 and all(task.done for task in tasks)
    assert simulation.now > 0.25


def test_another_seed_gives_another_order_and_the_same_seed_the_same() -> None:
    def order(seed: int) -> list[int]:
        simulation = Simulation(seed)
        one, found = world(simulation), list[int]()
        for number in range(10):
            one.tasks.spawn(lambda number=number: found.append(number), "appends")  # type: ignore[misc]
        simulation.run(lambda: one.clock.sleep(1))
        return found

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_node_that_is_killed_does_nothing_more_not_even_on_its_way_out(simulation: Simulation) -> None:
    one, effects = world(simulation), list[str]()
    lock = one.tasks.lock()
    one.disk.place("f/here", b"contents")

    def work() -> None:
        try:
            with lock:
                effects.append("began")
                one.clock.sleep(1000)
        finally:
            one.tasks.spawn(lambda: effects.append("spawned"), "spawned")

    def removes() -> None:
        try:
            one.clock.sleep(1000)
        except BaseException:
            one.disk.remove("f/here")
            raise

    one.tasks.spawn(work, "works")
    one.tasks.spawn(removes, "removes")
    one.disk.lock("f/lock")
    simulation.run(lambda: simulation.scheduler.sleep(1))
    simulation.kill(one)
    simulation.run(lambda: simulation.scheduler.sleep(2000))
    assert effects == ["began"] and not one.life.tasks
    assert one.disk.contents("f/here") == b"contents"
    one.disk.lock("f/lock").close()  # the system let go of it


def test_a_task_can_end_its_own_node(simulation: Simulation) -> None:
    one, after = world(simulation), list[str]()

    def suicide() -> None:
        simulation.kill(one)
        after.append("went on")

    with pytest.raises(ConnectionLost, match="a was killed"):
        simulation.run(suicide, one.life)
    assert not after


def test_a_paused_node_gets_no_turn_and_then_goes_on(simulation: Simulation) -> None:
    one, times = world(simulation), list[float]()

    def tick() -> None:
        while True:
            one.clock.sleep(1)
            times.append(round(one.clock.now()))

    one.tasks.spawn(tick, "ticks")
    simulation.run(lambda: simulation.scheduler.sleep(2.5))
    simulation.scheduler.pause(one.life)
    simulation.run(lambda: simulation.scheduler.sleep(10))
    assert times == [1, 2]
    simulation.scheduler.resume(one.life)
    simulation.run(lambda: simulation.scheduler.sleep(1.5))
    assert len(times) == 4 and times[2] >= 12


def test_what_a_task_raises_and_nobody_catches_comes_out_with_its_name(simulation: Simulation) -> None:
    one = world(simulation)
    one.tasks.spawn(lambda: [][1], "breaks")
    with pytest.raises(IndexError) as raised:
        simulation.run(lambda: one.clock.sleep(1))
    assert any("'breaks', seed 1" in note for note in raised.value.__notes__)


def test_a_simulation_in_which_nothing_can_happen_any_more_says_so(simulation: Simulation) -> None:
    one = world(simulation)
    changed = one.tasks.condition()

    def wait() -> None:
        with changed:
            changed.wait()

    with pytest.raises(ClusterError, match="nothing will ever happen"):
        simulation.run(wait)
    with pytest.raises(ClusterError, match="only a task"):
        one.clock.sleep(1)


def test_a_simulation_in_which_no_time_passes_says_so(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpclab.world.simulated_tasks._AT_ONE_MOMENT", 1000)
    one = world(simulation)

    def again_and_again() -> None:
        one.tasks.spawn(again_and_again, "spawned")

    one.tasks.spawn(again_and_again, "spawned")
    with pytest.raises(ClusterError, match="spawned turns round and round"):
        simulation.run(lambda: one.clock.sleep(1))


def test_a_thousand_tasks_that_begin_one_another_are_not_nested() -> None:
    simulation = Simulation(1)
    depths = []

    def begin(left: int) -> None:
        depths.append(left)
        if left:
            world.tasks.spawn(lambda: begin(left - 1), "next")
        deeper(20)

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            world.clock.sleep(1.0)

    world = simulation.world("node", simulation.disk("node"))
    world.tasks.spawn(lambda: begin(1000), "first")
    simulation.run(lambda: world.clock.sleep(5.0), world.life)
    assert len(depths) == 1001
