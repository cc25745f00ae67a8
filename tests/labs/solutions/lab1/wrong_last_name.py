"""The stub remembers the name that was asked for last."""
# fault: one-name


class Registry:
    def __init__(self):
        self.functions = {}

    def register(self, function, name=None):
        self.functions[name or function.__name__] = function
        return function

    def register_instance(self, instance):
        for name in dir(type(instance)):
            method = getattr(instance, name)
            if not name.startswith("_") and callable(method):
                self.register(method, name)

    def names(self):
        return sorted(self.functions)

    def call(self, name, args, kwargs):
        if name not in self.functions:
            raise LookupError(f"there is no {name!r}; there are {', '.join(self.names())}")
        return self.functions[name](*args, **kwargs)


class Stub:
    def __init__(self, send):
        self.send_it = send

    def __getattr__(self, name):
        if name.startswith("_") or name == "send_it":
            raise AttributeError(name)
        self.name = name
        return self.call

    def call(self, *args, **kwargs):
        return self.send_it(self.name, list(args), kwargs)
