"""Lab 5: replication. The student writes how a server sees to the other copies of a file that it has just stored."""

from . import alone, clusters  # whose checks enter themselves into LAB, in this order
from .about import LAB

__all__ = ["LAB", "alone", "clusters"]
