"""A course comes out of the installed package, whole, over nobody's files."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

import pytest
import yaml

from rpclab.course.new import new_course
from rpclab.errors import UsageError
from rpclab.labs.lab import lab_names

PROJECT = pathlib.Path(__file__).parents[2]


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_course_has_every_notebook_each_lab_with_its_beginning_and_files_to_back_up(tmp_path: pathlib.Path) -> None:
    written = new_course(tmp_path / "course")
    made = files(tmp_path / "course")
    assert {path.relative_to(tmp_path / "course").as_posix() for path in written} == made.keys()
    for path in [*(PROJECT / "notebooks").rglob("*.ipynb"), *(PROJECT / "data" / "clients").rglob("*.*")]:
        if ".ipynb_checkpoints" not in path.parts and path.is_file():
            assert made[path.relative_to(PROJECT).as_posix()] == path.read_bytes()
    assert all(f"notebooks/labs/{lab}.py" in made for lab in lab_names())
    assert not any("tests" in name or name.endswith(("reference.py", ".pyc")) for name in made)


def test_what_the_environment_installs_is_this_version_and_all_that_the_repository_asks_for(
    tmp_path: pathlib.Path,
) -> None:
    import rpclab

    new_course(tmp_path / "course")
    asked, ours = (
        yaml.safe_load((folder / "environment.yml").read_text(encoding="utf-8"))
        for folder in (tmp_path / "course", PROJECT)
    )
    assert asked["dependencies"][:-1] == ours["dependencies"][:-1]
    expected = [line.replace("-e .", f"rpclab=={rpclab.__version__}") for line in ours["dependencies"][-1]["pip"]]
    assert asked["dependencies"][-1]["pip"] == expected


def test_the_students_page_names_each_lab_and_only_commands_that_there_are(tmp_path: pathlib.Path) -> None:
    new_course(tmp_path / "course")
    page = (tmp_path / "course" / "README.md").read_text(encoding="utf-8")
    assert all(f"| {lab}: " in page for lab in lab_names())
    for command in re.findall(r"^rpclab (\w+)(?: \w+)?", page, re.MULTILINE):
        subprocess.run([sys.executable, "-m", "rpclab", command, "--help"], check=True, capture_output=True)
    for path in re.findall(r"notebooks/\S+\.(?:py|ipynb)", page):
        assert (tmp_path / "course" / path).is_file()


def test_links_between_notebooks_and_pages_lead_somewhere(tmp_path: pathlib.Path) -> None:
    new_course(tmp_path / "course")
    for notebook in (tmp_path / "course" / "notebooks").rglob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in link:
                assert (notebook.parent / link).exists(), f"{notebook.name} links to {link}"


def test_nothing_is_overwritten(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.txt").write_text("a term's work", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        new_course(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        new_course(tmp_path / "mine.txt")
    assert files(tmp_path) == {"mine.txt": b"a term's work"}
    (tmp_path / "empty").mkdir()
    assert new_course(tmp_path / "empty")


def test_a_wheel_that_is_none_is_refused_before_anything_is_written(tmp_path: pathlib.Path) -> None:
    for name in ("nowhere/rpclab-1-py3-none-any.whl", __file__):
        with pytest.raises(UsageError, match="no wheel"):
            new_course(tmp_path / "course", package=name)
    assert not (tmp_path / "course").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    """A wheel of this tree, and a Python that has it installed and knows nothing of the tree."""
    pytest.importorskip("hatchling", reason='no wheel can be built without hatchling: pip install -e ".[test]"')
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels")],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = (folder / "wheels").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    # what rpclab needs is here already; a path in a .pth brings no .pth of its own, so not the tree either
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (pathlib.Path(site) / "needed.pth").write_text("\n".join(sorted(paths)), encoding="utf-8")
    return python, wheel


def rpclab(python: pathlib.Path, *arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RPCLAB"))}
    command = [str(python), "-m", "rpclab", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300
    )


def test_the_installed_package_alone_makes_a_course_and_runs_its_labs(
    installed: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    python, wheel = installed
    made = rpclab(python, "course", "new", "mine", "--package", str(wheel), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    where = subprocess.run(
        [str(python), "-c", "import rpclab; print(rpclab.__file__)"], cwd=tmp_path, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )  # fmt: skip
    assert str(PROJECT / "rpclab") not in where.stdout and str(python.parents[1]) in where.stdout
    new_course(tmp_path / "from the tree", package=wheel)
    assert files(tmp_path / "mine") == files(tmp_path / "from the tree")
    tried = rpclab(python, "course", "check", "--json", cwd=tmp_path / "mine")
    told = {each["name"]: each for each in json.loads(tried.stdout)["tried"]}
    assert {"folder", "simulated cluster", "real cluster", *lab_names()} <= told.keys()
    broken = {name: each for name, each in told.items() if not each["works"]}
    assert broken.keys() <= {"packages"}, broken
    again = rpclab(python, "course", "new", "mine", cwd=tmp_path)
    assert again.returncode == 2 and "not empty" in again.stderr and "Traceback" not in again.stderr
