"""Lab 2: messages on a stream. The student writes a framing, which all connections of a cluster then speak.

TCP carries bytes in order and knows no messages: what was sent in one call may arrive in pieces, or together with the next.
"""

from . import alone, clusters  # whose checks enter themselves into LAB, in this order
from .about import LAB

__all__ = ["LAB", "alone", "clusters"]
