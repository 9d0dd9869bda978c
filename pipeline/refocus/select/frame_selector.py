"""Frames of a video that help to answer a question: the library's front door."""

import importlib
import logging
import operator
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from refocus.config.decode import DecodeSettings
from refocus.config.identity import weights
from refocus.config.select import SelectSettings
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import digest
from refocus.core.model_folder import HubAccess
from refocus.lmm.prompts import Prompt
from refocus.select.ask import Ask
from refocus.select.encoded_video import EncodedVideo, read_encoded, write_encoded
from refocus.select.picks import Picks
from refocus.select.selector import question_seed
from refocus.select.selector_digest import selector_digest
from refocus.select.video_selection import Curve, VideoSelection
from refocus.select.video_source import Frames, Video, VideoSource, open_video
from refocus.video.decode import DecodedFrames
from refocus.video.packets import Heartbeat

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Ask", "FrameSelector", "Frames", "VideoSelection"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Decoded:
    video: VideoSource
    candidates: DecodedFrames


class FrameSelector(ABC):
    """Picks the frames of a video that help to answer a question. Made by `from_pretrained`.

    Questions about the video that was asked about last neither decode nor read it again.

    Examples:
        >>> selector = FrameSelector.from_pretrained("results/train/demo/policy")
        >>> selector.select("lecture.mp4", "What is written on the board?", n_frames=8).images()

    Attributes:
        name: the selector's name in tables: `refocus`, `aks`.
        n_frames: how many frames it picks unless told.
        digest: 12 hex digits of everything that decides its picks beside video and question.
        reader: 12 hex digits of what `encode` does: its model and precision, and how candidates are sampled.
        device: type of the device that the picks' scores are computed on, `cpu` or `cuda`.
        warning: what a user must know before trusting the picks, or None.
    """

    name: str
    n_frames: int = 8
    digest: str
    reader: str
    warning: str | None = None

    @property
    def device(self) -> str:
        """Of selectors without a policy, whose picks the settings' precision does not touch."""
        return "cpu"

    def __init__(self, settings: SelectSettings, decode: DecodeSettings, made_of: Mapping[str, Any], reads: str | None):
        """
        Args:
            decode: how candidates are sampled.
            made_of: what decides the picks beside `settings`.
            reads: the folder or hub id of the model that reads candidates, if any does.
        """
        self.settings, self.decode = settings, decode
        computed = settings.identity_on(self.device)
        self.digest = selector_digest(self.name, {**computed, **made_of}, reads)
        sampling = [decode.fps, decode.max_frames, decode.size, decode.resize]
        narrow = [computed["precision"]] if "precision" in computed else []
        self.reader = digest([reads and weights(reads), sampling, *narrow])
        self._last: EncodedVideo | None = None

    @staticmethod
    def from_pretrained(
        name: str | Path | None = None,
        *,
        model: str | Path | None = None,
        settings: SelectSettings | None = None,
        decode: DecodeSettings | None = None,
        training_free: TrainingFreeSettings | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> "FrameSelector":
        """A selector by name, or a policy by folder or hub id; see `refocus.select.by_name`.

        Args:
            name: `topk`, `aks`, `bolt`, `mdp3` (each also with `-options`, and with `siglip2-`, `siglip-` or `clip-`
                before it), `confidence`, `uniform`, `random`, `uniform-seen`; else a policy. None: the best without
                training, if its model can be had, else the tiny policy of the synthetic world, with a warning.
            model: what a selector without training asks, folder or hub id: a CLIP or SigLIP, for `confidence` an LMM.
            settings: seed, device, and how a policy is asked.
            decode: how candidates are sampled; None: as the policy was trained with.
            training_free: numbers of the methods.
            revision: of a policy on the hub: branch, tag or commit. token: for one that is private or gated; None: what
                HF_TOKEN or `hf auth login` left.
        Raises:
            UsageError: there is no such selector or model, or `decode` is not what the policy was trained with.
            ResourceMissing: settings ask for CUDA where there is none.
        """
        # Named as text: the selectors that it makes know this class.
        made_by = importlib.import_module("refocus.select.by_name").selector_by_name
        return made_by(name, model, settings, decode, training_free, HubAccess(revision, token))

    def select(
        self,
        video: Video | EncodedVideo,
        question: str,
        options: Sequence[str] | None = None,
        n_frames: int | None = None,
        seed: int | None = None,
    ) -> VideoSelection:
        """Picks `n_frames` frames of a video for a question, with or without answer options.

        A video with no more candidates than `n_frames` is kept whole.

        Args:
            video: a path, bytes, a file opened in binary mode, `Frames`, or what `encode` made of one.
            question: what is asked about it.
            options: the answers to choose from, without letters.
            n_frames: how many; None: `FrameSelector.n_frames`.
            seed: of sampled picks; None: the settings'.
        Raises:
            UsageError: n_frames is not positive, the question is empty or no text, or there is no such file.
            RefocusError: no frame of the video can be decoded.
        """
        return self.select_many(video, [Ask(question, options or ())], n_frames, seed)[0]

    def select_many(
        self,
        video: Video | EncodedVideo,
        questions: Sequence[str | Ask],
        n_frames: int | None = None,
        seed: int | None = None,
    ) -> list[VideoSelection]:
        """The same for some questions about one video, which is decoded and read once.

        Raises:
            UsageError: as `select`.
            RefocusError: as `select`.
        """
        try:
            count = operator.index(self.n_frames if n_frames is None else n_frames)
        except TypeError:
            raise UsageError(f"n_frames must be a whole number, not {n_frames!r:.80}") from None
        if count < 1:
            raise UsageError(f"n_frames must be at least 1 (got {count})")
        if isinstance(questions, str | Ask):
            raise UsageError("questions are a list: [question], or `select` for a single one")
        asks = [Ask.of(question) for question in questions]
        encoded = video if isinstance(video, EncodedVideo) else self.encode(video)
        if encoded.reader != self.reader:
            raise UsageError(f"{encoded.video.name} was read by another selector: encode it with this one")
        seeds = [question_seed(self.settings.seed if seed is None else seed, ask.id or ask.question) for ask in asks]
        prompts = [Prompt(ask.question, tuple(ask.options)) for ask in asks]
        made = self._picks(encoded, prompts, count, seeds)
        return [
            VideoSelection.of(picks, encoded.timestamps_s, encoded.source_frames, curve, encoded.video)
            for picks, curve in made
        ]

    def select_batch(
        self,
        requests: Iterable[tuple[Video, Sequence[str | Ask]]],
        n_frames: int | None = None,
        seed: int | None = None,
        workers: int = 2,
    ) -> Iterator[list[VideoSelection] | RefocusError]:
        """For videos and questions about each, its selections, in order; the next videos are decoded meanwhile.

        A video that cannot be decoded gives its error, and the others go on.

        Args:
            workers: videos that are decoded at a time; each decoded one holds up to 512 candidates, about 220 MB.
        """
        stop = Event()

        def go_on() -> None:
            if stop.is_set():
                raise CancelledError

        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        try:
            ahead: deque[tuple[Future[_Decoded], Sequence[str | Ask]]] = deque()
            for video, questions in requests:
                ahead.append((pool.submit(self._decoded, video, go_on), questions))
                if len(ahead) > workers:
                    decoded, asked = ahead.popleft()
                    yield self._one_of_batch(decoded, asked, n_frames, seed)
            while ahead:  # popped, so that a decoded video goes with its answers
                decoded, asked = ahead.popleft()
                yield self._one_of_batch(decoded, asked, n_frames, seed)
        finally:  # what is decoded for nobody ends now: Ctrl-C would wait for it
            stop.set()
            pool.shutdown(cancel_futures=True)

    def encode(self, video: Video) -> EncodedVideo:
        """Decodes a video's candidates and reads them as far as no question is needed; the last one is kept.

        Raises:
            UsageError: there is no such file.
            RefocusError: no frame of it can be decoded.
        """
        source = open_video(video)
        if self._last is None or self._last.video.key != source.key:
            self._last = None  # before the next one takes memory
            self._last = self.read(source, self._decoded(source).candidates)
        return self._last

    def read(self, video: VideoSource, candidates: DecodedFrames) -> EncodedVideo:
        """The second half of `encode`, for who decoded the candidates (`VideoSource.candidates`)."""
        return EncodedVideo(
            video=video,
            timestamps_s=tuple(candidates.timestamps_s),
            source_frames=tuple(candidates.source_frames),
            problem=candidates.error if candidates.status != "ok" else None,
            state=self._read(candidates),
            reader=self.reader,
        )

    def save_encoded(self, encoded: EncodedVideo, path: str | Path) -> None:
        """Writes what `encode` made to a file, for `load_encoded`. It holds no pixels: the video must stay where it is.

        Raises:
            UsageError: the selector keeps nothing that is cheaper to read than to make, or the video is no file.
        """
        write_encoded(Path(path), encoded, self._tensors(encoded.state))

    def load_encoded(self, path: str | Path) -> EncodedVideo:
        """What `save_encoded` wrote.

        Raises:
            UsageError: it is of another selector, or of a video that is gone or another one now.
        """
        encoded, tensors = read_encoded(Path(path), self.reader)
        return replace(encoded, state=self._state(tensors))

    @abstractmethod
    def _read(self, candidates: DecodedFrames) -> Any:
        """What all questions start from."""

    @abstractmethod
    def _picks(
        self, encoded: EncodedVideo, prompts: Sequence[Prompt], n_frames: int, seeds: Sequence[int]
    ) -> list[tuple[Picks, Curve | None]]:
        """min(n_frames, T) of the candidates for each prompt, and how much each candidate is liked."""

    def _tensors(self, state: Any) -> Mapping[str, "Tensor"]:
        """The state as tensors for a file."""
        raise UsageError(f"{self.name} reads a video anew for every question: there is nothing to save")

    def _state(self, tensors: Mapping[str, "Tensor"]) -> Any:
        """The inverse of `_tensors`."""
        raise UsageError(f"{self.name} reads a video anew for every question: there is nothing to load")

    def _decoded(self, video: Video | VideoSource, heartbeat: Heartbeat | None = None) -> "_Decoded":
        source = open_video(video)
        candidates = source.candidates(self.decode, heartbeat)
        if candidates.status != "ok":
            log.warning("only part of %s could be decoded: %s", source.name, candidates.error)
        return _Decoded(source, candidates)

    def _one_of_batch(
        self, decoded: "Future[_Decoded]", questions: Sequence[str | Ask], n_frames: int | None, seed: int | None
    ) -> list[VideoSelection] | RefocusError:
        try:
            made = decoded.result()
            return self.select_many(self.read(made.video, made.candidates), questions, n_frames, seed)
        except RefocusError as error:
            return error
