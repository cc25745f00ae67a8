"""environment.yml, for conda and Binder, asks for what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parent.parent


def bounds(requirements: list[str]) -> dict[str, str]:
    """Name to bound of lines such as `click>=8.1`: names as package indexes compare them, bounds without spaces."""
    split = [re.fullmatch(r"([A-Za-z0-9._-]+)\s*(.*)", line) for line in requirements]
    assert all(split), requirements
    return {re.sub(r"[-_.]+", "-", found[1]).lower(): found[2].replace(" ", "") for found in split if found}


def project() -> dict[str, Any]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def environment() -> tuple[dict[str, str], list[str]]:
    """What conda is to install, with bounds, and the lines for pip."""
    lines = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (for_pip,) = [line["pip"] for line in lines if isinstance(line, dict)]
    return bounds([line for line in lines if isinstance(line, str)]), for_pip


def test_conda_and_pip_together_install_what_the_project_needs_for_notebooks() -> None:
    by_conda, for_pip = environment()
    by_pip = bounds([line for line in for_pip if line != "-e ."])
    assert not by_conda.keys() & by_pip.keys()
    asked = project()
    needed = bounds(asked["dependencies"] + asked["optional-dependencies"]["notebook"])
    assert by_conda | by_pip == needed | {"python": asked["requires-python"], "pip": ""}


def test_the_project_itself_is_installed_from_its_folder() -> None:
    assert "-e ." in environment()[1]


def test_packages_that_several_extras_name_have_one_bound() -> None:
    asked = project()
    extras = [asked["dependencies"], *asked["optional-dependencies"].values()]
    together = {
        f"{name}{bound}" for extra in extras for name, bound in bounds(extra).items() if not name.startswith("rpclab")
    }
    names = [re.split(r"[<>=!~]", line)[0] for line in together]
    assert sorted(names) == sorted(set(names))
