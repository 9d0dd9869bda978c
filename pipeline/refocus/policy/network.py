"""The network of the frame-selection policy (paper section 3.2): Video-MA2mba with K/Q/V heads for its LLM head.

v clips · t frames of the longest · q questions · p patches and c width of the tower · f tokens per frame · d width

The frames come before the question and the model is causal, so keys, values and the state after the frames are
computed once per clip and serve all its questions.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from refocus.core.errors import UsageError
from refocus.lmm.prompts import Prompt
from refocus.policy.config import PolicyConfig
from refocus.policy.heads import SelectionHeads
from refocus.policy.policy_prompt import after_frames, before_frames
from refocus.policy.stack import Stack, StackState
from refocus.policy.vision import Connector, VisionTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FRAMES_AT_ONCE = 128  # through the connector, where its inside is not kept


@dataclasses.dataclass(frozen=True)
class ClipState:
    """A batch of clips after one pass over their frames; `mask` is False on padding frames."""

    keys: Tensor  # (v, t, d)
    values: Tensor  # (v, t, d)
    mask: Tensor  # (v, t) bool
    state: StackState  # v rows

    def detach(self) -> "ClipState":
        """The same values, without gradient."""
        return ClipState(self.keys.detach(), self.values.detach(), self.mask, self.state.detach())


@dataclasses.dataclass(frozen=True)
class QuestionState:
    """Questions after `<start_of_frame>`: the latent of the first pick and the state every candidate starts from."""

    clip: Tensor  # (q,) long, each question's row of the ClipState
    latent: Tensor  # (q, d)
    state: StackState  # q rows

    def detach(self) -> "QuestionState":
        """The same values, without gradient."""
        return QuestionState(self.clip, self.latent.detach(), self.state.detach())


class PolicyNetwork(nn.Module):
    """What a policy computes for clips and questions; `refocus.policy.frame_policy` adds files and picking."""

    def __init__(self, config: PolicyConfig, tokenizer: "PreTrainedTokenizerBase | None" = None):
        super().__init__()
        self.config = config
        self._tokenizer = tokenizer
        self.vision = VisionTower(config)
        self.connector = Connector(config)
        self.backbone = Stack(config)
        self.heads = SelectionHeads(config)

    @property
    def frame_size(self) -> int:
        """Side in pixels of the images `encode` takes without resizing them."""
        return self.config.frame_size

    @property
    def has_tokenizer(self) -> bool:
        """Whether texts can be read; a policy may be built for its shape and weights alone."""
        return self._tokenizer is not None

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """Of the system text and the questions.

        Raises:
            UsageError: the policy was built, or its folder written, without one.
        """
        if self._tokenizer is None:
            raise UsageError("this policy has no tokenizer: its folder needs a tokenizer.json to read questions")
        return self._tokenizer

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.heads.scale.device

    # ---- frames

    def encode(self, images: np.ndarray) -> Tensor:
        """Features of the frozen tower, what is worth caching: uint8 RGB (t, h, w, 3) -> (t, p, c)."""
        return self.vision.encode(images)

    def frame_tokens(self, features: Tensor) -> Tensor:
        """Connector and pooling: (t, p, c) -> (t, f, d)."""
        return self.backbone.checkpointing.by_rows(self.connector, features, FRAMES_AT_ONCE)

    def prefix(self, features: Sequence[Tensor]) -> ClipState:
        """Runs the system text and all frames of some clips through the backbone (H, K and V of Algorithm 2).

        Args:
            features: per clip (t_i, p, c) from `encode`; clips may differ in length.
        """
        counts = [len(clip) for clip in features]
        t, f, d = max(counts), self.config.tokens_per_frame, self.config.width
        tokens = self.frame_tokens(torch.cat([clip.to(self.device) for clip in features]))  # (sum t_i, f, d)
        frames = torch.nn.utils.rnn.pad_sequence(tokens.split(counts), batch_first=True)  # (v, t, f, d)
        system = self.embed(self.tokenize(before_frames(self.config.prompt)))  # (s, d)
        start = len(system)
        x = torch.cat([system.expand(len(counts), start, d), frames.reshape(len(counts), t * f, d)], 1)
        n_frames = torch.tensor(counts, device=self.device)
        ragged = min(counts) != t
        del tokens, frames  # each as large as x
        ends = slice(start + f - 1, None, f)  # B.5: each frame's last token
        last, state = self.backbone(x, lengths=start + n_frames * f if ragged else None, at=ends)  # (v, t, d)
        mask = torch.arange(t, device=self.device) < n_frames[:, None]
        return ClipState(self.heads.key(last), self.heads.value(last), mask, state)

    # ---- questions

    def ask(self, clips: ClipState, clip: Sequence[int] | Tensor, prompts: Sequence[Prompt]) -> QuestionState:
        """Reads each question and `<start_of_frame>` from the state after its clip's frames.

        Args:
            clips: from `prefix`.
            clip: (q,) the row of `clips` that each question is about.
            prompts: q questions with their options.
        """
        clip = torch.as_tensor(clip, device=self.device)
        texts = [[*self.question_ids(prompt), self.config.start_of_frame] for prompt in prompts]
        hidden, lengths, state = self.read(texts, clips.state.expand(clip))
        latent = hidden[torch.arange(len(texts), device=self.device), lengths - 1]
        return QuestionState(clip, latent, state)

    def read(self, texts: Sequence[Sequence[int]], state: StackState | None) -> tuple[Tensor, Tensor, StackState]:
        """Runs token ids, one list per row, from a state: hidden (q, longest, d), lengths (q,) and the state after.

        Without a state the rows are plain text. Hidden states beyond a row's length mean nothing.
        """
        lengths = torch.tensor([len(ids) for ids in texts], device=self.device)
        rows = [torch.tensor(ids, device=self.device) for ids in texts]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        ragged = len({len(ids) for ids in texts}) > 1
        hidden, state = self.backbone(self.embed(ids), state, lengths=lengths if ragged else None)
        return hidden, lengths, state

    def question_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of what follows the frames, without `<start_of_frame>`."""
        return self.tokenize(after_frames(self.config.prompt, prompt)).tolist()

    def tokenize(self, text: str) -> Tensor:
        """Ids of a text, no special tokens added."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return torch.tensor(ids, dtype=torch.long, device=self.device)

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids (…) -> embeddings (…, d)."""
        return self.backbone.embedding(ids)

    def answer_logits(self, hidden: Tensor) -> Tensor:
        """The LLM head tied to the embedding, (…, d) -> (…, vocab): trains the base, is not used for selection."""
        return hidden @ self.backbone.embedding.weight.t()
