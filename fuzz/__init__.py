"""Coverage-guided fuzzing of what a stranger's bytes meet: `python -m fuzz [--runs N] [--target NAME]`, or `make fuzz`.

Each target is a module with one function, `check(data)`, that raises AssertionError, or what no error of ours is, when the
bytes show a fault. `python -m fuzz` lets atheris (Google's libFuzzer for Python, Linux only) look for such bytes;
`tests/test_fuzz_seeds.py` gives the targets the committed seeds on every system, without atheris.
"""

from __future__ import annotations

__all__ = ["TARGETS"]

TARGETS = {"packets": 600, "messages": 4096, "handshake": 2400}
"""Each target with the longest input, in bytes, that it is given: what is longer shows nothing new, only more slowly."""
