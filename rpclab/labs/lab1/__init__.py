"""Lab 1: stub and registry. The student writes both ends of a remote call: who sends it, and who finds the function."""

from . import alone, clusters  # whose checks enter themselves into LAB, in this order
from .about import LAB

__all__ = ["LAB", "alone", "clusters"]
