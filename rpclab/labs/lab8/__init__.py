"""Lab 8: the handshake. The student writes how two nodes prove to one another that they know the cluster's secret."""

from . import alone, clusters  # whose checks enter themselves into LAB, in this order
from .about import LAB

__all__ = ["LAB", "alone", "clusters"]
