"""What a student hands in: a module, a notebook, or objects from a notebook's cells; and how it is loaded where it is checked.

Of a notebook only definitions are taken: imports, functions, classes and plain values, the last of each name; a value is plain
too if only the standard library's makers of values are called for it, as in `HEADER = struct.Struct(">BI")`. So cells may be
copied, left half done below, or start clusters: none of that is run again.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib
import json
import os
import pathlib
import re
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from ..cluster.own_code import pickled
from ..errors import UsageError, error_text
from .lab import Broken, Lab, Mine

__all__ = ["Submission", "load"]

MODULE = "submission"
_LONGEST = 2_000_000  # bytes of a submission: nobody types more
_BROKEN = (
    "__broken_cells__"  # in a notebook's module: what was left half done, and says what is wrong if a part is missing
)
_MAGIC = re.compile(r"\s*([%!?]|[\w, ]+=\s*[%!])|.*\?\s*$")  # a line that only IPython understands
_BUILT_IN = """bool bytearray bytes chr complex dict enumerate float frozenset int len list max min object ord pow range
    repr reversed round set sorted str sum tuple zip"""
_MODULES = """array collections dataclasses decimal enum fractions functools hashlib hmac itertools math operator random re
    string struct threading types typing"""
_MAKERS = frozenset(f"{_BUILT_IN} {_MODULES}".split())


@dataclass(frozen=True, slots=True)
class Submission:
    """`kind` is module (its text) or objects (pickled by value); `source` is what people call it."""

    kind: str
    data: str
    source: str

    @classmethod
    def from_file(cls, path: str | pathlib.Path) -> Submission:
        """A student's module or notebook. Errors: UsageError."""
        path = pathlib.Path(path)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        if len(raw) > _LONGEST:
            raise UsageError(f"{path} has {len(raw):,} bytes; a submission has at most {_LONGEST:,}")
        text = raw.decode("utf-8", "replace")
        return cls("module", _definitions(text, path) if path.suffix == ".ipynb" else text, str(path))

    @classmethod
    def from_objects(cls, parts: dict[str, Any]) -> Submission:
        """Functions and classes of a notebook. Errors: UsageError, when one cannot be sent to another process."""
        code = pickled(parts, "this", *parts.values())
        return cls("objects", base64.b64encode(code).decode(), "<notebook>")


def _definitions(text: str, path: pathlib.Path) -> str:
    """The definitions of a notebook's code cells, as a module."""
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is no notebook: it holds no list of cells") from None
    kept: dict[str, str] = {}
    broken: list[str] = []
    makers = set(_MAKERS)
    for source in sources:
        plain, tree = _python(source)
        if tree is None:
            if "def " in plain or "class " in plain:
                broken.append(plain)
            continue
        for node in tree.body:
            key = _key(node, makers)
            if isinstance(node, ast.Import | ast.ImportFrom):
                makers |= _made_by(node)
            if key:
                kept.pop(key, None)
                kept[key] = ast.get_source_segment(plain, node, padded=True) or ""
                for decorator in reversed(getattr(node, "decorator_list", [])):
                    kept[key] = f"@{ast.unparse(decorator)}\n{kept[key]}"
    if broken:
        kept[_BROKEN] = f"{_BROKEN} = {broken!r}"
    return "\n\n".join(kept.values()) + "\n"


def _python(source: str) -> tuple[str, ast.Module | None]:
    """A cell without what only IPython understands, and its tree; None if it is broken."""
    lines = source.splitlines()
    plain = source
    for deepest in (-1, 0, 1000):  # as it is first, for a line of plain Python may begin with % too
        plain = "\n".join(
            f"{' ' * indent}pass"
            if (indent := len(line) - len(line.lstrip())) <= deepest and _MAGIC.match(line)
            else line
            for line in lines
        )
        with contextlib.suppress(SyntaxError, ValueError):
            return plain, ast.parse(plain)
    return plain, None


def _made_by(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names of an import that are makers of values, or modules of such."""
    if isinstance(node, ast.ImportFrom):
        return {each.asname or each.name for each in node.names} if _root(node.module or "") in _MAKERS else set()
    return {each.asname or _root(each.name) for each in node.names if _root(each.name) in _MAKERS}


def _root(name: str) -> str:
    return name.partition(".")[0]


def _key(node: ast.stmt, makers: set[str]) -> str:
    """By what name a later definition takes an earlier one's place; "" for what is not a definition."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Import | ast.ImportFrom):
        return ast.unparse(node)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if len(targets) == 1 and isinstance(targets[0], ast.Name) and _is_plain(getattr(node, "value", None), makers):
        return targets[0].id
    return ""


def _is_plain(value: ast.expr | None, makers: set[str]) -> bool:
    """Whether computing a value starts nothing: numbers, texts, and what is made of them."""
    if value is None or any(isinstance(each, ast.Await | ast.Yield) for each in ast.walk(value)):
        return False
    return all(_maker(each.func) in makers for each in ast.walk(value) if isinstance(each, ast.Call))


def _maker(called: ast.expr) -> str:
    """What `a.b.c(...)` begins with: "" if that is no name."""
    while isinstance(called, ast.Attribute):
        called = called.value
    if isinstance(called, ast.Constant):  # a method of a text, as in b"".join
        return "str"
    return called.id if isinstance(called, ast.Name) else ""


def load(submission: Submission, lab: Lab, folder: pathlib.Path) -> Mine:
    """The student's parts, loaded in this process; a module is written into the folder, where the nodes that this process starts
    find it too. Raises Broken when it cannot be loaded, or a part is missing."""
    if submission.kind == "objects":
        parts = _unpickled(submission.data)
    else:
        _refuse_ours(submission.data, lab)
        parts = _imported(submission, folder)
    found = {name: parts[name] for name in lab.needs if callable(parts.get(name))}
    if len(found) < len(lab.needs):
        for cell in parts.get(_BROKEN, ()):
            _compiled(cell)
    if missing := [f"{name}: {what}" for name, what in lab.needs.items() if name not in found]:
        raise Broken("missing", f"there is no {'; no '.join(missing)}")
    return Mine(found)


def _compiled(cell: str) -> None:
    try:
        compile(cell, "cell", "exec")
    except SyntaxError as error:
        raise Broken("does-not-load", _syntax(error)) from None


def _syntax(error: SyntaxError) -> str:
    return f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}"


def _unpickled(data: str) -> dict[str, Any]:
    import cloudpickle

    try:
        parts = cloudpickle.loads(base64.b64decode(data))
    except Exception as error:  # whatever a student's module does when it is loaded
        raise Broken("does-not-load", f"{type(error).__name__}: {error_text(error)}") from None
    assert isinstance(parts, dict)
    return parts


def _imported(submission: Submission, folder: pathlib.Path) -> dict[str, Any]:
    path = folder / f"{MODULE}.py"
    path.write_text(submission.data, encoding="utf-8")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    try:
        return vars(importlib.import_module(MODULE))
    except SyntaxError as error:
        raise Broken("does-not-load", _syntax(error)) from None
    except BaseException as error:  # also sys.exit(): it is the student's to read
        raise Broken("does-not-load", f"{type(error).__name__}: {error_text(error)}{_line(error, path)}") from None


def _line(error: BaseException, path: pathlib.Path) -> str:
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""


def _refuse_ours(text: str, lab: Lab) -> None:
    """Who hands our own part in has not written it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return  # loading it says so
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if any(name == ours or name.startswith(f"{ours}.") for ours in lab.ours):
                raise Broken("uses-ours", f"line {node.lineno} imports {name}")  # type: ignore[attr-defined]
