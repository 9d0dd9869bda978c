"""The page stays on this machine: who may ask for it, what it may load, and what is left when it ends."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest
from refocus.cli.main import main
from refocus.core.errors import UsageError
from refocus.serve.server import LOCAL, app_with_uploads, listen


@pytest.fixture
def served(monkeypatch):
    """What `refocus serve` would have served, with Gradio as if it were there and no model loaded."""
    asked = []
    monkeypatch.setattr("refocus.cli.serve.require", lambda package: None)
    monkeypatch.setattr("refocus.serve.selectors.PageSelectors.choose", lambda selectors, names: asked.append(names))
    monkeypatch.setattr("refocus.serve.server.serve", lambda *words: asked.append(words))
    return asked


def test_without_gradio_the_message_names_the_extra(monkeypatch, caplog):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gradio" else find(name))
    assert main(["serve"]) == 2
    assert "pip install '.[serve]'" in caplog.text


def test_it_listens_to_this_machine_alone_unless_told(served, caplog):
    assert main(["serve", "--selector", "uniform", "--selector", "aks"]) == 0
    names, (selectors, host, port) = served
    assert (names, host, port) == (["uniform", "aks"], "127.0.0.1", 7860) and selectors.typed
    assert "WARNING" not in caplog.text


def test_any_other_address_is_warned_of_and_offers_no_folders(served, caplog):
    assert main(["serve", "--host", "0.0.0.0"]) == 0
    _, (selectors, host, _) = served
    assert host == "0.0.0.0" and not selectors.typed
    assert "no password" in caplog.text


@pytest.mark.parametrize(
    ("flags", "says"), [(["--port", "70000"], "from 0 to 65535"), (["--temperature", "-1"], "temperature")]
)
def test_wrong_flags_end_before_a_model_is_loaded(served, flags, says, caplog):
    assert main(["serve", *flags]) == 2
    assert says in caplog.text and served == []


def test_a_taken_port_is_said_and_0_finds_a_free_one():
    with closing(listen(LOCAL, 0)) as listening:
        address, port = listening.getsockname()
        assert address == LOCAL and port > 0
        with pytest.raises(UsageError, match=f"port {port}.*--port 0"):
            listen(LOCAL, port)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UsageError, match="cannot listen at 192"):
        listen("192.0.2.1", 0)


@pytest.fixture
def app(selectors):
    pytest.importorskip("gradio")
    with app_with_uploads(selectors, LOCAL) as app:
        yield app


def test_only_this_machines_names_are_answered_and_pages_may_load_only_themselves(app):
    """A name elsewhere that is made to point here is not answered."""
    testclient = pytest.importorskip("fastapi.testclient")
    with testclient.TestClient(app, base_url=f"http://{LOCAL}") as client:
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
        config = client.get("/config").json()
        assert config["analytics_enabled"] is False and config["dependencies"]
        assert all(event["api_visibility"] == "private" for event in config["dependencies"])


def test_uploads_are_gone_when_it_ends(selectors, monkeypatch, tmp_path):
    pytest.importorskip("gradio")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with app_with_uploads(selectors, LOCAL):
        [folder] = tmp_path.iterdir()
        (folder / "upload").mkdir()
        (folder / "upload" / "video.mp4").write_bytes(b"video")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_leaves_no_folder(number, tmp_path):
    pytest.importorskip("gradio")
    line = [sys.executable, "-m", "refocus", "serve", "--selector", "uniform", "--port", "0"]
    running = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    with running:
        said = next(text for text in running.stderr if "http://127.0.0.1:" in text)
        [folder] = tmp_path.glob("refocus-serve-*")
        with urllib.request.urlopen(said.split()[3]) as page:
            assert page.status == 200
        running.send_signal(number)
    done = (0,) if number == signal.SIGINT else ()  # who stops a server by hand has all that was wanted
    assert running.returncode in (*done, 128 + number, -number) and not folder.exists()


def test_the_address_is_free_again_at_once():
    with closing(listen(LOCAL, 0)) as listening:
        port = listening.getsockname()[1]
    with closing(listen(LOCAL, port)), closing(socket.socket()) as caller:
        caller.connect((LOCAL, port))
