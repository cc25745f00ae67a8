"""One target under atheris, in a process of its own: `python -m fuzz.guided TARGET [libFuzzer's options]`."""

from __future__ import annotations

import importlib
import sys

import atheris

__all__: list[str] = []

if __name__ == "__main__":
    target = sys.argv.pop(1)
    with atheris.instrument_imports(include=["rpclab"]):
        check = importlib.import_module(f"fuzz.{target}").check
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
