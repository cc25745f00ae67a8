"""A registry of closures, and a stub that keeps the methods that it has made."""


class Registry:
    def __init__(self):
        self.table = {}

    def register(self, function, name=None):
        def run(args, kwargs):
            return function(*args, **kwargs)

        self.table.update({name or function.__name__: run})
        return function

    def register_instance(self, instance):
        public = [name for name in dir(instance.__class__) if not name.startswith("_")]
        for name in public:
            if callable(getattr(instance.__class__, name)):
                self.register(getattr(instance, name), name)

    def names(self):
        return self.table.keys()

    def call(self, name, args, kwargs):
        try:
            run = self.table[name]
        except KeyError:
            raise LookupError(f"{name!r} is not here. Here are: {' '.join(self.table)}") from None
        return run(args, kwargs)


class Stub:
    def __init__(self, send):
        def make(name):
            method = lambda *args, **kwargs: send(name, [*args], dict(kwargs))  # noqa: E731
            setattr(self, name, method)
            return method

        vars(self)["_make"] = make

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(f"no {name} here")
        return self._make(name)
