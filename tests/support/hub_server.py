"""A stand-in for the Hugging Face hub on this machine: one commit after the other, kept in memory.

It speaks as much of the hub's protocol as making a repository, uploading small files and fetching a snapshot take.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest


@dataclass
class Hub:
    """repositories: id -> its revisions, the oldest first, each path -> bytes; the name `main` is the last of them.

    token: what must be sent with every request that writes, and with all that concern private repositories.
    """

    address: str = ""
    token: str = "hf_secret"
    private: set[str] = field(default_factory=set)
    repositories: dict[str, list[dict[str, bytes]]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        made = self.repositories[repo_id]
        return made[-1] if revision == "main" else made[self.commits(repo_id).index(revision)]

    def commits(self, repo_id: str) -> list[str]:
        return [hashlib.sha1(f"{repo_id}{n}".encode()).hexdigest() for n in range(len(self.repositories[repo_id]))]


@contextmanager
def hub_server(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """Runs the stand-in and points huggingface_hub at it, with an empty cache and nobody logged in."""
    from huggingface_hub import constants

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "nobody"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(cache / "none"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if not self._may():
            return self._json({"error": "Invalid username or password."}, 401)
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo_id = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            if repo_id in self.hub.repositories:
                return self._json({"url": f"{self.hub.address}/{repo_id}"}, 409)
            self.hub.repositories[repo_id] = [{}]
            if asked.get("private") or asked.get("visibility") == "private":
                self.hub.private.add(repo_id)
            return self._json({"url": f"{self.hub.address}/{repo_id}"})
        repo_id, verb = "/".join(path.split("/")[3:5]), path.split("/")[5]
        if verb == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            return self._json(
                {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )
        lines = [json.loads(line) for line in body.splitlines()]
        files = dict(self.hub.files(repo_id))
        for line in lines:
            if line["key"] == "header":
                self.hub.messages.append(line["value"]["summary"])
            else:
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.hub.repositories[repo_id].append(files)
        commit = self.hub.commits(repo_id)[-1]
        return self._json({"commitUrl": f"{self.hub.address}/{repo_id}/commit/{commit}", "commitOid": commit})

    def do_GET(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        repo_id = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if repo_id not in self.hub.repositories or (repo_id in self.hub.private and not self._may()):
            return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        commits = self.hub.commits(repo_id)
        revision = parts[5] if parts[0] == "api" and len(parts) > 5 else parts[3] if parts[0] != "api" else "main"
        if revision not in ("main", *commits):
            return self._json({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
        files, commit = self.hub.files(repo_id, revision), commits[-1] if revision == "main" else revision
        if parts[4:5] == ["tree"] and parts[0] == "api":
            return self._json([_entry(name, content) for name, content in files.items()])
        if parts[0] == "api":
            return self._json({"id": repo_id, "sha": commit, "siblings": [{"rfilename": name} for name in files]})
        name = "/".join(parts[4:])
        if name not in files:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        tag = _entry(name, files[name])["oid"]
        return self._send(files[name], 200, {"X-Repo-Commit": commit, "ETag": f'"{tag}"'})

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def _may(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
