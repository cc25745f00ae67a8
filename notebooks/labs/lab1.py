"""Lab 1: stub and registry. Your parts are the classes Registry and Stub; the notebook says what they are for.

rpclab check lab1 lab1.py
"""


class Registry:
    """What the peers of a node may call. Each node has one."""

    def __init__(self):
        self.functions = {}

    def register(self, function, name=None):
        """Let peers call a function, by its own name or another; gives the function back, so that it can be a decorator."""
        self.functions[name] = function

    def register_instance(self, instance):
        """Let peers call the public methods of an object."""

    def names(self):
        """What may be called."""
        return []

    def call(self, name, args, kwargs):
        """Call a function with a list and a dictionary of arguments; gives its result back, and raises what it raises.

        A name that is not there: LookupError, which says the name, and those that there are.
        """
        return self.functions[name]()


class Stub:
    """Stands for a peer: `stub.getServer()` is a message there and its answer back."""

    def __init__(self, send):
        """`send(name, args, kwargs)` sends one message and returns the answer; args is a list, kwargs a dictionary."""

    def __getattr__(self, name):
        """Python asks for a name that the object does not have: give back what can be called."""
        raise AttributeError(name)
