"""What the plug-in's models have in common: the frames of the picks, and nothing in their place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.protocol import ChatMessages

from refocus.core.errors import RefocusError, UsageError
from refocus.core.model_folder import SMALL_FILES, find_folder
from refocus.core.progress import bar
from refocus.lmm import Lmm, Prompt, option_logits
from refocus.lmm.families import find_family
from refocus.lmm.loading import load_statistics
from refocus.lmm.prompts import LETTERS
from refocus.select.lmms_eval.picked_questions import PickedQuestion, PickedQuestions
from refocus.select.processors import as_video
from refocus.video.decode import frames_at
from refocus.video.pictures import pictures_at

REPLIES = ("generated", "scored")
SAMPLING = ("num_frames", "max_frames_num", "max_num_frames", "fps")  # how the stock models are told what to sample


class OnPicks(lmms):
    """Stands before a model of lmms-eval, which loads weights and processor and knows its own arguments.

    Args:
        selections, qa, digest: as `PickedQuestions`.
        replies: `generated` is what the model writes after the task's own prompt; `scored` is the letter of the
            likeliest option after our prompt, as `refocus answer` computes it.
        stock: arguments of the model that stands behind.
    Raises:
        UsageError: an argument says which frames to sample, or is unknown.
    """

    is_simple = False
    most_new_tokens = 1024  # where the task does not say

    def __init__(
        self, selections: str, qa: str, digest: str | None = None, replies: str = "generated", **stock: Any
    ) -> None:
        if sampling := [name for name in SAMPLING if name in stock]:
            raise UsageError(f"leave {', '.join(sampling)} out of model_args: the frames are those of {selections}")
        if replies not in REPLIES:
            raise UsageError(f"replies={replies}: one of {', '.join(REPLIES)}")
        self.replies = replies
        self.picked = PickedQuestions(Path(selections), Path(qa), digest)
        self._scorer: Lmm | None = None
        super().__init__(**stock)

    def generate_until(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """A reply per request, in their order.

        Raises:
            RefocusError: a document has no picks, before anything is computed; or its video cannot be decoded. What
                the model itself raises is passed on.
        """
        found = self._find(requests)
        return [
            self._reply(request, one) for request, one in bar(list(zip(requests, found, strict=True)), desc="reply")
        ]

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Refused: the models behind would sample frames of their own."""
        raise UsageError("tasks of output_type multiple_choice or loglikelihood are not run on picked frames")

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Refused, as above."""
        raise UsageError("tasks of several rounds are not run on picked frames")

    def _find(self, requests: Sequence[Instance]) -> list[PickedQuestion]:
        wanted: dict[tuple[str, str], list[int]] = {}
        for _, _, _, place, task, split in (request.args for request in requests):
            wanted.setdefault((task, split), []).append(place)
        found = {
            (task, split): self.picked.of(task, self.task_dict[task][split], places)
            for (task, split), places in wanted.items()
        }
        return [found[task, split][place] for _, _, _, place, task, split in (request.args for request in requests)]

    def _reply(self, request: Instance, picked: PickedQuestion) -> GenerationResult:
        _, doc_to_messages, asked, place, task, split = request.args
        messages = ChatMessages(messages=doc_to_messages(self.task_dict[task][split][place]))
        video = _only_video(messages, picked, f"task {task}, document {place}")
        if self.replies == "scored":
            return GenerationResult(self._score(picked, video))
        return self._generate(messages, pictures_at(video, picked.row.timestamps_s), picked, asked)

    @torch.no_grad()
    def _generate(
        self,
        messages: ChatMessages,
        pictures: Sequence[np.ndarray],
        picked: PickedQuestion,
        asked: Mapping[str, Any],
    ) -> GenerationResult:
        inputs = self._inputs(self._text(messages), pictures, picked)
        made = self.model.generate(**inputs, **self._generation(asked))[0, inputs["input_ids"].shape[1] :]
        text = self._finish(self.tokenizer.decode(made, skip_special_tokens=True))
        return GenerationResult(text, TokenCounts(output_tokens=len(made)))

    def _text(self, messages: ChatMessages) -> str:
        """The prompt, with the mark of the video in its place."""
        turns = messages.model_dump()["messages"]
        return str(self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def _inputs(self, text: str, pictures: Sequence[np.ndarray], picked: PickedQuestion) -> dict[str, Any]:
        """What `generate` is given: the prompt and exactly the picked frames."""
        video = as_video(self.processor, self._sized(pictures), picked.row, picked.row.file)
        inputs = self.processor(text=[text], **video, **self._already_sized(), return_tensors="pt")
        return dict(inputs.to(self.model.device, self.model.dtype))

    def _sized(self, pictures: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Pictures as the processor takes them; most make them square themselves."""
        return pictures

    def _already_sized(self) -> dict[str, bool]:
        """What keeps the processor from resizing them once more."""
        return {}

    def _generation(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The task's generation settings as the stock models read them."""
        temperature = asked.get("temperature") or 0
        drawn = {"temperature": temperature, "top_p": asked.get("top_p")} if temperature > 0 else {}
        return {
            "do_sample": temperature > 0,
            **drawn,
            "num_beams": asked.get("num_beams", 1),
            "max_new_tokens": asked.get("max_new_tokens", self.most_new_tokens),
            "use_cache": self.use_cache,
            "eos_token_id": self.tokenizer.eos_token_id,
            "pad_token_id": self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
        }

    def _finish(self, reply: str) -> str:
        """The reply as the task gets it."""
        return reply

    def _score(self, picked: PickedQuestion, video: Path) -> str:
        lmm, row = self._lmm(), picked.row
        features = lmm.encode(frames_at(video, row.timestamps_s, lmm.frame_size))
        raw = lmm.score(features, [(range(len(features)), 0)], [Prompt.of(picked.question)], row.timestamps_s)[0]
        return LETTERS[int(option_logits(raw).argmax())]

    def _lmm(self) -> Lmm:
        """The loaded weights as our scorer."""
        if self._scorer is None:
            path = self.model.config.name_or_path
            family = find_family("auto", self.model.config.model_type, path)
            mean, std = load_statistics(find_folder(path, SMALL_FILES), family.statistics)
            self._scorer = Lmm(self.model, self.tokenizer, family, mean, std, None)
        return self._scorer


def _only_video(messages: ChatMessages, picked: PickedQuestion, where: str) -> Path:
    """The file that a document shows.

    Raises:
        RefocusError: it shows something else, no file, or another video than the picks are of.
    """
    images, videos, sounds = messages.extract_media()
    if len(videos) != 1 or images or sounds:
        raise RefocusError(
            f"{where} shows {len(videos)} videos, {len(images)} images and {len(sounds)} sounds; picks are of one video"
        )
    video = Path(videos[0]) if isinstance(videos[0], str) else None
    if video is None or not video.is_file():
        raise RefocusError(f"{where}: {videos[0]!r:.200} is no video file here")
    if video.stem != Path(picked.question.video_path).stem:
        raise RefocusError(f"{where} shows {video}, and its picks are of {picked.question.video_path}")
    return video
