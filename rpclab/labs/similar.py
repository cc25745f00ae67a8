"""Submissions that are alike: a place to look, never a verdict. Pure.

Names, texts, numbers, comments and layout count for nothing: what is compared is the shape of the code, by how many runs of its
syntax two submissions share (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document fingerprinting", 2003, take
a sample of such runs; a lab's code is short enough to take all). What the starter has is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from itertools import combinations

__all__ = ["alike", "shape"]

_RUN = 12  # nodes of the syntax tree in one run: about a statement


def shape(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of a submission's syntax; nothing for a text that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    kinds = [_kind(node) for node in _in_order(tree)]
    return frozenset(tuple(kinds[start : start + _RUN]) for start in range(len(kinds) - _RUN + 1))


def _in_order(node: ast.AST) -> Iterable[ast.AST]:
    """Depth first, without docstrings and contexts, which say nothing."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.expr_context) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
            continue
        yield each
        stack += reversed(list(ast.iter_child_nodes(each)))


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"Attribute {node.attr}"  # the interface's names, mostly: they are the same for all
    return type(node).__name__


def alike(
    texts: Mapping[str, str], starter: str = "", *, least: float = 0.8, least_runs: int = 20
) -> list[tuple[float, str, str]]:
    """Pairs of students whose code shares at least this part of its runs (0 to 1), the most alike first; submissions with fewer
    runs of their own than `least_runs` are too short to say anything."""
    given = shape(starter)
    own = {student: shape(text) - given for student, text in texts.items()}
    long = {student: runs for student, runs in own.items() if len(runs) >= least_runs}
    found = []
    for (one, its), (other, others) in combinations(sorted(long.items()), 2):
        share = len(its & others) / len(its | others)
        if share >= least:
            found.append((share, one, other))
    return sorted(found, key=lambda pair: (-pair[0], pair[1], pair[2]))
