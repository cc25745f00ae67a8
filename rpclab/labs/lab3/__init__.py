"""Lab 3: one connection, many threads. The student writes how many tasks call over one connection at once."""

from . import alone, clusters  # whose checks enter themselves into LAB, in this order
from .about import LAB

__all__ = ["LAB", "alone", "clusters"]
