"""`rpclab app`, with a real Voilà: who has the token gets the page, Ctrl-C ends all of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from rpclab import LocalCluster
from rpclab.cluster.process import package_environment
from rpclab.commands import app
from rpclab.commands.program import run
from rpclab.errors import StartFailed
from rpclab.widgets.page import page

pytest.importorskip("voila", reason="rpclab app needs Voilà: pip install 'voila>=0.5.8'")
WITHIN_S = 120.0  # a kernel and Voilà have to load, on a machine that may be busy


def started(data: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [sys.executable, "-m", "rpclab", "app", "--no-browser", "--ports", "free", "--data", str(data), "--json"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env=package_environment(), start_new_session=True
    )
    assert process.stdout is not None
    document = ""
    while not document.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, f"it ended with {process.wait()} and said {document}"
        document += line
    told = json.loads(document)
    if "address" not in told:
        process.stdout.close()
        pytest.fail(f"it ended with {process.wait()} and said {document}")
    return process, told


def fetch(address: str) -> tuple[str, str]:
    """Where one lands, and what is there."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(address, timeout=WITHIN_S) as answer:
        return answer.url, answer.read().decode()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent by a signal")
def test_who_has_the_token_gets_the_page_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process, told = started(data, "--servers", "2", "--root", str(tmp_path))
    try:
        assert told["address"].startswith("http://127.0.0.1:") and told["process"] == process.pid
        address, _, token = told["address"].partition("?token=")
        assert len(token) > 40
        assert "login" in fetch(address)[0]  # and not the page
        _, text = fetch(told["address"])
        assert "application/vnd.jupyter.widget-view+json" in text and "no cluster" not in text
        children = psutil.Process(process.pid).children(recursive=True)
        lines = [" ".join(each.cmdline()) for each in children]
        assert any("rpclab.manager" in line for line in lines) and not any(token in line for line in lines)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive and not (data / "runs" / "rpclab" / "cluster.json").exists()


def test_a_port_that_somebody_took_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as somebody,
        LocalCluster(servers=1, clients=1, data=tmp_path) as cluster,
    ):
        taken, free = somebody.getsockname()[1], app._free_port
        ports = iter([taken])
        monkeypatch.setattr(app, "_free_port", lambda host: next(ports, None) or free(host))
        with app._served(cluster, "127.0.0.1", 0, None) as (address, server):
            assert f":{taken}/" not in address and "login" in fetch(address.partition("?")[0])[0]
        assert server.wait(30) in (0, -signal.SIGTERM)
        with (
            pytest.raises(StartFailed, match=f"{taken} is already in use"),
            app._served(cluster, "127.0.0.1", taken, None),
        ):
            pass


def test_a_page_without_its_cluster_says_so_and_shows_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import IPython.display

    shown: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", lambda *each: shown.extend(each))
    page({"RPCLAB_APP_DATA": str(tmp_path / "nowhere")})
    assert len(shown) == 1 and "This page has no cluster: no cluster runs in" in shown[0].data


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--clients", "0"], "needs a client"),
        (["--root", "/no/such/folder"], "there is no folder /no/such/folder"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1: "),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["app", "--no-browser", "--ports", "free", "--servers", "1", "--data", str(tmp_path / "data")]
    assert run([*arguments, *options]) == 2
    assert said in capsys.readouterr().err


def test_without_voila_the_line_to_install_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["app"]) == 2
    assert "pip install 'voila>=0.5.8'" in capsys.readouterr().err
