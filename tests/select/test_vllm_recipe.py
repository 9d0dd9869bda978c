"""docs/exports.md: one question about one video for a vLLM server; a stand-in reads the request as vLLM does."""

import base64
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from transformers.video_utils import VideoMetadata

from tests.docs.test_links import ROOT
from tests.support.grey_video import write_greys


@pytest.fixture
def server():
    """Its address, and the requests that came."""
    came = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            body = json.dumps({"choices": [{"message": {"content": "a map"}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", came
    made.shutdown()
    made.server_close()


def test_the_recipe_sends_the_picked_frames_at_their_seconds(server, tmp_path, monkeypatch):
    address, came = server
    write_greys(tmp_path / "lecture.mp4", range(30))
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert "http://localhost:8000" in code
    names = {}
    exec(code.replace("http://localhost:8000", address), names)
    ((path, body),) = came
    picks, said = names["picks"], body["media_io_kwargs"]["video"]
    assert path == "/v1/chat/completions" and names["reply"] == "a map"
    video, text = body["messages"][0]["content"]
    assert text["text"] == names["question"]
    parts = video["video_url"]["url"].removeprefix("data:video/jpeg;base64,").split(",")
    greys = [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))).mean() for part in parts]
    assert greys == pytest.approx([8 * number for number in picks.frames_indices], abs=4)
    told = VideoMetadata(**{name: said[name] for name in ("frames_indices", "total_num_frames", "fps", "duration")})
    assert told.timestamps == pytest.approx(picks.timestamps_s, abs=1e-6)
    assert said["num_frames"] == len(parts) == 8 and said["do_sample_frames"] is False
