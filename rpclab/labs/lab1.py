"""Lab 1: stub and registry. The student writes both ends of a remote call: who sends it, and who finds the function."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from ..errors import MethodNotFound, error_text
from .lab import Broken, Hint, Lab, Mine
from .scenes import back_up_and_restore, blamed, restart_everything
from .trial import Trial

__all__ = ["LAB"]

LAB = Lab(
    "lab1",
    "A call across the wire: stub and registry",
    needs={
        "Registry": "class with register(self, function, name=None), register_instance(self, instance), "
        "call(self, name, args, kwargs) and names(self)",
        "Stub": "class with __init__(self, send) and __getattr__(self, name)",
    },
    ours=("rpclab.rpc", "rpclab.client"),
    minutes=60,
    lines=30,
    faults={
        "result": Hint(
            "What does the caller of a remote procedure want back?",
            "Follow the value of the function from where it returns to where call returns.",
            "The function was run, and its result did not come back.",
        ),
        "wrapped": Hint(
            "The function returns 5. What exactly does the caller get?",
            "Look at what call makes of the value before it gives it back.",
            "The result comes back as another thing: wrapped, turned into a text, or as a coroutine that nobody awaits.",
        ),
        "arguments": Hint(
            "Does the function get what the caller wrote, in order, and by name?",
            "Look at how args and kwargs are handed on.",
            "Arguments are lost, doubled or handed on as one list.",
        ),
        "other-name": Hint(
            "By which name is a function found that was registered under another one?",
            "Look at what register does with its second argument.",
            "A function that was registered under a name of its own is not found there.",
        ),
        "decorator": Hint(
            "What does `@registry.register` leave behind in the place of the function?",
            "Look at what register gives back.",
            "register does not give the function back, so it can't be used as a decorator.",
        ),
        "unknown-name": Hint(
            "What should the caller hear of a name that is not there?",
            "Look at what call does when the table has no such name.",
            "A name that is not registered raises no LookupError.",
        ),
        "unhelpful": Hint(
            "What does a person need who has mistyped a name?",
            "Read your error as somebody who sees nothing but that.",
            "The error for an unknown name says neither the name nor the names that there are.",
        ),
        "swallowed": Hint(
            "How does the caller tell a result from an error?",
            "Look for an except around the call of the function.",
            "An exception of the function does not come out of call: it is swallowed, or given back as if it were a result.",
        ),
        "taken-for-unknown": Hint(
            "The function itself raises a KeyError. What does the caller hear?",
            "Look at what stands in your try: only the look-up, or the call of the function too?",
            "An error from within the function is taken for a name that is not there.",
        ),
        "any-attribute": Hint(
            "Who decides which functions a stranger may call: you, or whoever sends the name?",
            "Look for getattr with a name that came off the wire.",
            "Names that nobody registered can be called: attributes of an object, or methods of the registry itself.",
        ),
        "private": Hint(
            "Which methods of an object are for everybody?",
            "Look at which names register_instance takes.",
            "Names with an underscore in front, or things that are no methods, are offered to the peers.",
        ),
        "instance": Hint(
            "How does a method of an object know its object?",
            "Look at what register_instance puts into the table: the function of the class, or that of the object?",
            "The public methods of an object cannot be called, or not as its own.",
        ),
        "inherited": Hint(
            "Where does Python find a method that an object has from a base class?",
            "Look at how register_instance finds the names: vars and __dict__ hold only what was written in that one class.",
            "Public methods that the object's class has inherited are not offered.",
        ),
        "shared-table": Hint(
            "There are several nodes. Which table does each have?",
            "Look for a dictionary that belongs to the class, or is a default argument.",
            "Two registries share one table.",
        ),
        "names": Hint(
            "What may be called here?",
            "Compare what names gives back with what was registered.",
            "names does not list just the registered names.",
        ),
        "stub-arguments": Hint(
            "What does the far end have to be told?",
            "Look at what your stub gives to send: a name, a list, a dictionary.",
            "The stub does not send the name, the arguments by position and those by name as they were written.",
        ),
        "stub-result": Hint(
            "What does `stub.add(1, 2)` evaluate to?",
            "Look at what the function that your stub makes returns.",
            "The answer of the peer does not come back from the stub.",
        ),
        "one-name": Hint(
            "Somebody keeps `first = stub.add`, then `second = stub.sub`, and then calls first.",
            "Where does your stub remember the name?",
            "The stub remembers only the last name: a method that was taken earlier calls another one.",
        ),
        "sends-too-early": Hint(
            "When is a message sent: when the name is written, or when it is called?",
            "Look at what __getattr__ itself does.",
            "Looking at a name sends a message already.",
        ),
        "sends-underscores": Hint(
            "Python itself asks objects for names such as __deepcopy__. Should that go over the network?",
            "Look at which names __getattr__ accepts.",
            "Names that begin with an underscore become network calls: AttributeError is expected.",
        ),
        "cluster": Hint(
            "Do the manager and the servers find their own methods in your table?",
            "Run this check alone; what the nodes said is in its output.",
            "With your registry and stub a cluster does not do its work.",
        ),
    },
)


def add(a: int, b: int = 10, *rest: int, scale: int = 1) -> int:
    return (a + b + sum(rest)) * scale


def _names(registry: Any) -> list[str]:
    found = registry.names()
    try:
        return sorted(found)
    except TypeError:
        raise Broken("names", f"names() gave back {found!r:.80}: the names are expected, as texts") from None


def _called(registry: Any, name: str, args: list[Any], kwargs: dict[str, Any], wanted: Any) -> None:
    shown = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
    try:
        found = registry.call(name, args, kwargs)
    except TypeError as error:
        raise Broken("arguments", f"{name}({shown}): {error}") from error
    if found is None:
        raise Broken("result", f"{name}({shown}) gave back None")
    if found != wanted:
        fault = "arguments" if type(found) is type(wanted) else "wrapped"
        raise Broken(fault, f"{name}({shown}) gave back {found!r}, not {wanted!r}")


@LAB.check("a registered function can be called by its name, and its result comes back", points=1)
def first_call(mine: Mine, trial: Trial) -> None:
    registry = mine.Registry()
    registry.register(lambda: "hello", "greet")
    with _lookup("other-name", "register(function, 'greet') did not enter it as 'greet'"):
        _called(registry, "greet", [], {}, "hello")


@LAB.check("arguments arrive as they were written, by position and by name", points=2, after=("first-call",))
def arguments(mine: Mine, trial: Trial) -> None:
    registry, a, b = mine.Registry(), trial.random.randrange(100), trial.random.randrange(100)
    registry.register(add, "add")
    for args, kwargs, wanted in (
        ([a, b], {}, a + b),
        ([a], {}, a + 10),
        ([a], {"scale": 3}, (a + 10) * 3),
        ([], {"b": b, "a": a}, a + b),
        ([a, b, 5, 6], {"scale": 2}, (a + b + 11) * 2),
    ):
        _called(registry, "add", args, kwargs, wanted)
    registry.register(len, "length")
    _called(registry, "length", [[1, 2, 3]], {}, 3)


@LAB.check(
    "functions are registered by their own name or another, and can be listed",
    points=2,
    after=("first-call",),
)
def names(mine: Mine, trial: Trial) -> None:
    registry, other = mine.Registry(), mine.Registry()
    registry.register(add)
    with _lookup("other-name", "register(function) did not enter it under its own name, 'add'"):
        _called(registry, "add", [1, 2], {}, 3)
    registry.register(add, "plus")
    with _lookup("other-name", "register(function, 'plus') did not enter it as 'plus'"):
        _called(registry, "plus", [1, 2], {}, 3)

    def double(x: int) -> int:
        return 2 * x

    if registry.register(double) is not double:
        raise Broken("decorator", "register(double) did not give double back")
    if _names(registry) != ["add", "double", "plus"]:
        raise Broken("names", f"add, double and plus were registered; names() gave back {_names(registry)}")
    if _names(other):
        raise Broken("shared-table", f"a second registry, into which nothing was entered, has {_names(other)}")


@contextlib.contextmanager
def _lookup(fault: str, seen: str) -> Any:
    try:
        yield
    except LookupError as error:
        raise Broken(fault, f"{seen}: {type(error).__name__}: {error}") from error


@LAB.check(
    "the caller hears of errors: the function's as they are, an unknown name as LookupError",
    points=3,
    after=("names",),
)
def errors(mine: Mine, trial: Trial) -> None:
    registry = mine.Registry()

    def divide(a: int, b: int) -> float:
        return a / b

    registry.register(divide)
    try:
        found = registry.call("divide", [1, 0], {})
    except ZeroDivisionError:
        found = None
    except Exception as error:
        raise Broken("swallowed", f"a ZeroDivisionError came out as {type(error).__name__}: {error}") from error
    else:
        raise Broken("swallowed", f"divide(1, 0) gave back {found!r}, and raised nothing")
    for error_kind in (KeyError, AttributeError, TypeError):
        _from_within(registry, error_kind)
    try:
        found = registry.call("devide", [1, 1], {})
    except LookupError as error:
        said = error_text(error)
    except Exception as error:
        raise Broken("unknown-name", f"call('devide') raised {type(error).__name__}: {error}") from error
    else:
        raise Broken("unknown-name", f"call('devide') gave back {found!r}")
    if "devide" not in said or "divide" not in said:
        raise Broken("unhelpful", f"the error says {said!r}")


def _from_within(registry: Any, kind: type[Exception]) -> None:
    """An error of the function that could be taken for one of the look-up."""
    own = kind("of the function")

    def fails() -> None:
        raise own

    registry.register(fails)
    try:
        found = registry.call("fails", [], {})
    except Exception as error:
        if error is not own and type(error) is not kind:
            seen = f"fails() raised {own!r}, and call {type(error).__name__}: {error}"
            raise Broken("taken-for-unknown", seen) from error
    else:
        raise Broken("swallowed", f"fails() raised {own!r}; call gave back {found!r}")


class _Instrument:
    def maker(self) -> str:
        return "ours"


class _Thermometer(_Instrument):
    unit = "C"

    def __init__(self, degrees: int) -> None:
        self.degrees = degrees

    def read(self) -> int:
        return self.degrees

    def warmer(self, by: int = 1) -> int:
        return self.degrees + by

    def _calibrate(self) -> str:
        return "secret"


@LAB.check("peers can call what was registered, and nothing else", points=3, after=("errors",))
def nothing_else(mine: Mine, trial: Trial) -> None:
    registry, degrees = mine.Registry(), trial.random.randrange(100)
    registry.register_instance(_Thermometer(degrees))
    try:
        found = [registry.call("read", [], {}), registry.call("warmer", [], {"by": 5})]
    except (LookupError, TypeError) as error:
        raise Broken("instance", f"{type(error).__name__}: {error}") from error
    if found != [degrees, degrees + 5]:
        raise Broken("instance", f"read() and warmer(by=5) of {degrees} degrees gave back {found}")
    with _lookup("inherited", "the thermometer has maker() from its base class"):
        _called(registry, "maker", [], {}, "ours")
    for name in ("call", "register", "names", "register_instance", "__init__", "__class__", "__dict__"):
        _refused(registry, name, "any-attribute")
    for name in ("_calibrate", "unit", "degrees"):
        _refused(registry, name, "private")
    if _names(registry) != ["maker", "read", "warmer"]:
        raise Broken("private", f"of a thermometer with maker, read and warmer, names() lists {_names(registry)}")


def _refused(registry: Any, name: str, fault: str) -> None:
    try:
        found = registry.call(name, [], {})
    except LookupError:
        return
    except Exception as error:
        raise Broken(
            fault, f"call({name!r}) raised {type(error).__name__}, as if it had been called: {error}"
        ) from error
    raise Broken(fault, f"call({name!r}) gave back {found!r:.80}")


class _Wire:
    """Remembers what a stub sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any], dict[str, Any]]] = []

    def __call__(self, name: str, args: Any, kwargs: Any) -> str:
        if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
            raise Broken(
                "stub-arguments", f"send was given {args!r} and {kwargs!r}: a list and a dictionary are expected"
            )
        self.sent.append((name, list(args), dict(kwargs)))
        return f"answer {len(self.sent)}"


@LAB.check(
    "a stub turns each call of a name into one message, and gives its answer back", points=3, after=("first-call",)
)
def stub(mine: Mine, trial: Trial) -> None:
    wire = _Wire()
    own = mine.Stub(wire)
    function = own.anything
    if wire.sent:
        raise Broken("sends-too-early", "`stub.anything`, without brackets, has sent a message")
    try:
        answer = own.add(1, "two", scale=[3])
    except TypeError as error:
        raise Broken(
            "stub-arguments", f"stub.add(1, 'two', scale=[3]) raised {type(error).__name__}: {error}"
        ) from error
    if wire.sent != [("add", [1, "two"], {"scale": [3]})]:
        raise Broken("stub-arguments", f"stub.add(1, 'two', scale=[3]) sent {wire.sent}")
    if answer != "answer 1":
        raise Broken("stub-result", f"the peer answered 'answer 1', the stub gave back {answer!r}")
    earlier, later = own.first, own.second
    earlier()
    later()
    function()
    if [name for name, _, _ in wire.sent[1:]] != ["first", "second", "anything"]:
        raise Broken(
            "one-name", f"first, second and anything were called; sent was {[name for name, _, _ in wire.sent[1:]]}"
        )


@LAB.check("a stub sends no name that begins with an underscore", points=1, after=("stub",))
def underscores(mine: Mine, trial: Trial) -> None:
    wire = _Wire()
    own = mine.Stub(wire)
    for name in ("_private", "__len__", "_repr_html_", "__deepcopy__"):
        try:
            getattr(own, name)
        except AttributeError:
            continue
        raise Broken("sends-underscores", f"stub.{name} raised no AttributeError")
    with contextlib.suppress(AttributeError, TypeError):
        copy.copy(own)
    if wire.sent:
        raise Broken("sends-underscores", f"copying the stub sent {wire.sent}")


@LAB.check(
    "in a simulated cluster manager and servers find their methods in it", points=2, after=("nothing-else", "arguments")
)
def simulated(mine: Mine, trial: Trial) -> None:
    with (
        blamed("cluster", "in the simulated cluster"),
        trial.simulated(registry=mine.Registry, stub=mine.Stub) as cluster,
    ):
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")


@LAB.check("so do real ones, and your stub calls them", points=3, after=("nothing-else", "underscores"))
def real(mine: Mine, trial: Trial) -> None:
    options = {"registry": mine.Registry, "stub": mine.Stub, "clients": 1}
    with blamed("cluster", "in the real cluster"), trial.local(**options) as cluster:
        back_up_and_restore(cluster, trial, "cluster")
        restart_everything(cluster)
        back_up_and_restore(cluster, trial, "cluster")
        manager = cluster.connect("ada").manager
        word = f"hello {trial.random.randrange(100)}"
        if manager.string(word) != word or manager.string(text=word) != word or manager.getQuantity() != 3:
            raise Broken("cluster", "string('hello') or getQuantity() of the manager gave back something else")
        try:
            manager.getQuantety()
        except MethodNotFound:
            return
        raise Broken("unknown-name", "the manager has no getQuantety, and the caller heard no MethodNotFound")
