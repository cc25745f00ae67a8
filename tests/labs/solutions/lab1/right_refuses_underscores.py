"""Refuses names with an underscore a second time."""


class Registry:
    def __init__(self):
        self.f = {}

    def register(self, function, name=None):
        self.f[name or function.__name__] = function
        return function

    def register_instance(self, i):
        for n in dir(i):
            if not n.startswith("_") and callable(getattr(i, n)):
                self.register(getattr(i, n))

    def names(self):
        return list(self.f)

    def call(self, name, args, kwargs):
        if name.startswith("_") or name not in self.f:
            raise LookupError(f"{name}: {list(self.f)}")
        return self.f[name](*args, **kwargs)


class Stub:
    def __init__(self, send):
        self._send = send

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *a, **k: self._send(name, list(a), k)
