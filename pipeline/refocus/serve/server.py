"""The page as a server on this machine. It works without a network and tells nobody anything."""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.core.errors import UsageError
from refocus.core.extras import require
from refocus.serve.comparison import Comparison
from refocus.serve.selectors import PageSelectors
from refocus.serve.uploads import Uploads

if TYPE_CHECKING:
    from fastapi import FastAPI

LOCAL = "127.0.0.1"
NAMES_OF_THIS_MACHINE = [LOCAL, "localhost"]
# Gradio asks its makers for news and counts its users, and keeps a record of what was asked in the browser.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_RUN_HISTORY": "False"}
# What the browser may load: the page itself. Gradio's pages are made with scripts inside them.
ONLY_FROM_HERE = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; frame-ancestors 'none'"
)

log = logging.getLogger(__name__)


def serve(selectors: PageSelectors, host: str = LOCAL, port: int = 7860) -> None:
    """Serves the page until it is interrupted; uploaded videos are deleted then.

    Args:
        selectors: with those that are asked at first chosen.
        host: the address to listen at. Any but this machine's own is for whoever reaches it, which a warning says.
        port: 0 takes a free one.
    Raises:
        UsageError: Gradio is missing, or nothing can listen there.
    """
    require("gradio")
    import uvicorn

    signal.signal(signal.SIGTERM, _end)  # uvicorn ends the server and hands the signal on
    with closing(listen(host, port)) as listening, app_with_uploads(selectors, host) as app:
        log.info("the page: http://%s:%d (stop with Ctrl-C)", *listening.getsockname()[:2])
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        server.run(sockets=[listening])


def _end(number: int, frame: object) -> None:
    """Ends like an interrupt, so that uploads are deleted."""
    raise SystemExit(128 + number)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the port is taken or not allowed, or the address is not this machine's.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen at {host}, port {port}: {reason}; --port 0 takes a free port") from None
    listening.listen()
    return listening


@contextmanager
def app_with_uploads(selectors: PageSelectors, host: str) -> "Iterator[FastAPI]":
    """The page as an application, and a folder for uploads that goes when it goes."""
    with tempfile.TemporaryDirectory(prefix="refocus-serve-", ignore_cleanup_errors=True) as folder:
        os.environ.update({**QUIET, "GRADIO_TEMP_DIR": folder})
        yield build_app(selectors, Uploads(Path(folder)), host)


def build_app(selectors: PageSelectors, uploads: Uploads, host: str) -> "FastAPI":
    """The page behind what keeps others out: names other than this machine's, and addresses to load from."""
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.middleware.trustedhost import TrustedHostMiddleware

    from refocus.serve.blocks import build_page
    from refocus.serve.view import page_file

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if host == LOCAL:  # a site elsewhere whose name is made to point here is refused
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=NAMES_OF_THIS_MACHINE)

    @app.middleware("http")
    async def only_from_here(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = ONLY_FROM_HERE
        return response

    return gr.mount_gradio_app(
        app,
        build_page(Comparison(selectors), uploads),
        path="/",
        server_name=host,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        theme=theme(),
        css=page_file("page.css"),
        head=f"<script>{page_file('page.js')}</script>",
    )


def theme() -> Any:
    """Gradio's default with letters that are there already: its own come from the net."""
    import gradio as gr

    letters = ["system-ui", "DejaVu Sans", "sans-serif"]
    return gr.themes.Default(
        primary_hue="blue", font=letters, font_mono=["ui-monospace", "DejaVu Sans Mono", "monospace"]
    )
