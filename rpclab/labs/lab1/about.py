"""What lab 1 asks for, and a hint in three degrees for each fault that its checks can tell."""

from __future__ import annotations

from ..lab import Hint, Lab

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
