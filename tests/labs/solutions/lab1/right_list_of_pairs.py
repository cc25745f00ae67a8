"""A list that is searched, and a stub whose methods are objects."""


class Registry:
    def __init__(self):
        self.pairs = []

    def register(self, function, name=None):
        self.pairs.insert(0, (name or function.__name__, function))
        return function

    def register_instance(self, instance):
        for each in dir(type(instance)):
            if each.startswith("_") or not callable(getattr(type(instance), each)):
                continue
            self.register(getattr(instance, each))

    def names(self):
        return sorted({name for name, _ in self.pairs})

    def call(self, name, args, kwargs):
        for known, function in self.pairs:
            if known == name:
                return function(*args, **kwargs)
        raise IndexError(f"no {name}, only {self.names()}")


class Method:
    def __init__(self, send, name):
        self.send, self.name = send, name

    def __call__(self, *args, **kwargs):
        return self.send(self.name, args, kwargs)


class Stub:
    __slots__ = ("_send",)

    def __init__(self, send):
        self._send = send

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Method(self._send, name)
