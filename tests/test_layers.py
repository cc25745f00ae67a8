"""The house: imports run down only, heavy packages have one home, and a node's process loads none of them."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(str(importlib.util.find_spec("rpclab") and importlib.util.find_spec("rpclab").origin)).parent

# The floors of the architecture plan. Where the real layout says more than the plan, it says it here:
# names, records and text are values like errors and config; running is the edge between the roles and the system, which the three
# `__main__` use, with certificates, which authority makes; a cluster reads its own history, so study stands one step below
# cluster; commands are at the top.
FLOORS = {
    "errors": 1, "config": 1, "names": 1, "text": 1, "records": 1, "own": 1,
    "world": 2,
    "trace": 3,
    "rpc": 4,
    "authority": 4.2,
    "certificates": 4.4,
    "secret": 4.3, "options": 4.35,
    "staging": 4.45,
    "running": 4.5,
    "manager": 5, "server": 5, "client": 5,
    "study": 5.5,
    "cluster": 6,
    "trials": 6.5,
    "lessons": 6.5,
    "plots": 7,
    "labs": 7.5,
    "course": 7.7,
    "widgets": 8,
    "commands": 9,
    "__main__": 10,  # `python -m rpclab`: the commands
    "__init__": 10,  # the face: hands names on, when they are first used
}  # fmt: skip
ROLES = ("trace", "rpc", "manager", "server", "client")
SYSTEM = {
    "socket",
    "threading",
    "time",
    "os",
    "random",
    "selectors",
    "select",
    "subprocess",
    "multiprocessing",
    "asyncio",
}
SYSTEM |= {"pathlib", "shutil", "tempfile", "signal", "secrets", "datetime", "uuid", "queue", "concurrent"}
CHOOSES_THE_BACKEND = "rpclab.commands.demo"  # matplotlib.use("agg") before plots draws; it draws nothing itself
ONLY_HOME = {"matplotlib": "plots", "ipywidgets": "widgets", "anywidget": "widgets", "greenlet": "world"}
HEAVY = (
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "numpy",
    "pandas",
    "distributed",
    "psutil",
    "tqdm",
    "rich",
    "cloudpickle",
    "click",
    "IPython",
    "greenlet",
)


def modules() -> list[pathlib.Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: pathlib.Path) -> str:
    parts = ("rpclab", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str:
    """The part of the house that a module of ours stands in."""
    return module.split(".")[1] if "." in module else "__init__"


class Imports(ast.NodeVisitor):
    """What a file imports, and of that what only type checkers see and what is imported when the module is."""

    def __init__(self, path: pathlib.Path) -> None:
        self.package = dotted(path) if path.stem == "__init__" else dotted(path).rpartition(".")[0]
        self.all: set[str] = set()
        self.typing: set[str] = set()
        self.at_load: set[str] = set()
        self._typing = self._deferred = False
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def _found(self, names: list[str]) -> None:
        (self.typing if self._typing else self.all).update(names)
        if not (self._typing or self._deferred):
            self.at_load.update(names)

    def visit_Import(self, node: ast.Import) -> None:
        self._found([alias.name for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        names = [f"{base}.{alias.name}" for alias in node.names]
        self._found([name if name in OURS else base for name in names])

    def visit_If(self, node: ast.If) -> None:
        before = self._typing
        self._typing = before or "TYPE_CHECKING" in ast.unparse(node.test)
        for each in node.body:
            self.visit(each)
        self._typing = before
        for each in node.orelse:
            self.visit(each)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self._deferred = self._deferred, True
        self.generic_visit(node)
        self._deferred = before

    visit_AsyncFunctionDef = visit_FunctionDef


OURS = {dotted(path): path for path in modules()}


@functools.cache
def imports(module: str) -> Imports:
    return Imports(OURS[module])


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "rpclab"}


def test_every_part_has_its_floor() -> None:
    assert {part(module) for module in OURS} <= FLOORS.keys()


@pytest.mark.parametrize("module", sorted(OURS))
def test_imports_run_down_only(module: str) -> None:
    floor = FLOORS[part(module)]
    for name in ours(imports(module).all | imports(module).typing):
        if part(name) == part(module) or (name == "rpclab" and floor >= 6):
            continue
        below = FLOORS[part(name)]
        beside = module.endswith("__main__") and part(name) == "running"
        assert (
            below < floor
            or beside
            or {part(name), part(module)} <= {"errors", "config", "names", "records", "text", "own"}
        ), f"{module} (floor {floor}) imports {name} (floor {below})"


@pytest.mark.parametrize("module", sorted(each for each in OURS if part(each) in ("manager", "server", "client")))
def test_only_the_main_of_a_role_knows_that_it_runs_as_a_process(module: str) -> None:
    if not module.endswith("__main__"):
        edge = {"rpclab.running", "rpclab.options", "rpclab.secret", "rpclab.world.real"}
        assert not edge & imports(module).all


@pytest.mark.parametrize("module", sorted(each for each in OURS if part(each) in ROLES))
def test_the_roles_touch_the_world_only_through_the_world(module: str) -> None:
    if not module.endswith("__main__"):
        touched = {name.split(".")[0] for name in imports(module).all} & SYSTEM
        assert not touched, f"{module} imports {touched}: take what it needs from its World"


@pytest.mark.parametrize("module", sorted(OURS))
def test_a_heavy_package_has_one_home(module: str) -> None:
    for package, home in ONLY_HOME.items():
        if part(module) != home and not (module == CHOOSES_THE_BACKEND and package == "matplotlib"):
            assert package not in {name.split(".")[0] for name in imports(module).all}


def test_no_module_needs_itself_to_be_loaded() -> None:
    """No cycle among the imports that run when a module is loaded."""
    graph = {module: ours(imports(module).at_load) & OURS.keys() - {"rpclab", module} for module in OURS}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a cycle: {' -> '.join([*path[path.index(module) :], module])}"
        if module not in done:
            for name in sorted(graph[module]):
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    ["import rpclab", "from rpclab import Client", "import rpclab.manager.__main__", "import rpclab.server.__main__",
     "import rpclab.client.__main__"],
)  # fmt: skip
def test_a_nodes_process_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & set(HEAVY)


def test_a_cluster_loads_no_plots_and_no_widgets() -> None:
    assert not loaded_by("from rpclab import LocalCluster") & {
        "matplotlib",
        "ipywidgets",
        "numpy",
        "pandas",
        "IPython",
        "greenlet",
    }


def test_every_module_says_what_it_offers_and_begins_with_what_it_owns() -> None:
    for module, path in OURS.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if tree.body:
            assert ast.get_docstring(tree), f"{module} has no docstring"
            assert module == "rpclab.__main__" or "__all__" in path.read_text(encoding="utf-8"), (
                f"{module} has no __all__"
            )


def test_the_test_itself_sees_a_forbidden_import(tmp_path: pathlib.Path) -> None:
    path = PACKAGE / "rpc" / "never_written.py"
    source = tmp_path / "x.py"
    source.write_text("import os.path\nfrom ..server import store\nif TYPE_CHECKING:\n    import random\n")
    found = Imports.__new__(Imports)
    found.package, found.all, found.typing, found.at_load = dotted(path).rpartition(".")[0], set(), set(), set()
    found._typing = found._deferred = False
    found.visit(ast.parse(source.read_text()))
    assert found.all == {"os.path", "rpclab.server.store"} and found.typing == {"random"}
