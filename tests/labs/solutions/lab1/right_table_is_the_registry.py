"""The registry is a dictionary itself; the stub uses partial."""

import functools
import inspect


class Registry(dict):
    def register(self, function, name=None):
        self[name if name is not None else function.__name__] = function
        return function

    def register_instance(self, instance):
        for name, method in inspect.getmembers(instance, inspect.ismethod):
            if name[0] != "_":
                self[name] = method

    def names(self):
        return list(self)

    def __missing__(self, name):
        raise KeyError(f"{name} is none of {list(self)}")

    def call(self, name, args, kwargs):
        return self[name](*args, **kwargs)


class Stub:
    def __init__(self, send):
        self.__dict__["_Stub__send"] = send

    def __getattr__(self, name):
        if name[0] == "_":
            raise AttributeError(name)
        return functools.partial(self._Stub__call, name)

    def __call(self, *given, **kwargs):
        name, *args = given
        return self.__send(name, args, kwargs)
