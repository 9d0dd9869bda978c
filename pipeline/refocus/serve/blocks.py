"""The page: a video, a question and selectors on the left, what they pick on the right. Built of Gradio's parts."""

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from refocus.core.errors import UsageError
from refocus.serve.comparison import Compared, Comparison
from refocus.serve.uploads import Uploads
from refocus.serve.view import problem_html, results_html

TITLE = "Which frames answer the question?"
CANNOT_PLAY = (
    '<p class="rf-note">Your browser cannot play this video, so a click on a pick shows nothing. '
    "The picks are of this video all the same.</p>"
)
EMPTY = '<p class="rf-quiet">Picks, their times and the likelihood of every frame appear here.</p>'
ANY_NAME = "Also the folder or hub id of a policy, or siglip2-aks, clip-topk, …: type it and press Enter."


def build_page(comparison: Comparison, uploads: Uploads) -> gr.Blocks:
    """The page. Its selectors are chosen and loaded before it is built."""
    selectors = comparison.selectors

    def pick(
        video: str | None,
        question: str | None,
        options: str | None,
        names: list[str] | None,
        n_frames: float | None,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008 - so Gradio finds it
    ) -> Iterator[str]:
        offered, wanted = split_options(options or ""), list(names or [])
        made: list[Compared] = []
        try:
            answers = comparison.ask(
                Path(video) if video else None, question or "", offered, wanted, int(n_frames or 0)
            )
            yield results_html(question or "", offered, made, wanted)
            for compared in answers:
                if not Path(video or "").is_file():
                    return  # another video has taken its place
                made.append(compared)
                yield results_html(question or "", offered, made, wanted[len(made) :])
        except UsageError as error:
            yield problem_html(str(error))

    def hold(video: str | None, request: gr.Request) -> None:
        uploads.hold(str(request.session_hash), Path(video) if video else None)

    def leave(request: gr.Request) -> None:
        uploads.hold(str(request.session_hash), None)

    with gr.Blocks(analytics_enabled=False, title=f"refocus: {TITLE.lower()}", fill_width=True) as page:
        gr.HTML(f"<h1>{TITLE}</h1>")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                video = gr.Video(label="Video", sources=["upload"], elem_id="rf-video", height=300)
                gr.HTML(CANNOT_PLAY, elem_id="rf-cannot-play")
                question = gr.Textbox(
                    label="Question", placeholder="When does she show the chart?", elem_id="rf-question"
                )
                options = gr.Textbox(
                    label="Answer options, one on each line (if there are any)", lines=2, elem_id="rf-options"
                )
                names = gr.Dropdown(
                    selectors.offered,
                    value=list(selectors.chosen),
                    label="Selectors",
                    info=ANY_NAME if selectors.typed else None,
                    multiselect=True,
                    allow_custom_value=selectors.typed,
                    elem_id="rf-selectors",
                )
                n_frames = gr.Number(
                    selectors.named(selectors.chosen[0]).n_frames,
                    label="Frames to pick",
                    precision=0,
                    minimum=1,
                    maximum=128,
                )
                button = gr.Button("Pick frames", variant="primary", elem_id="rf-pick")
            with gr.Column(scale=5, min_width=480):
                results = gr.HTML(EMPTY, elem_id="rf-results", padding=False)
        asking = [video, question, options, names, n_frames]
        gr.on([button.click, question.submit], pick, asking, results, api_visibility="private", concurrency_limit=1)
        video.change(hold, video, api_visibility="private", show_progress="hidden")
        video.change(None, None, results, js=f"() => {json.dumps(EMPTY)}")  # at once, before anybody asks
        page.unload(leave)
    return page


def split_options(text: str) -> tuple[str, ...]:
    """One option a line; empty lines are none."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
