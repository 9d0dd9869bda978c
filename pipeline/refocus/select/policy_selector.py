"""Picks of a trained policy: one pass over a clip, one rollout per question (Algorithm 2, temperature 1, seeded)."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refocus.config.select import PolicySection, SelectSettings
from refocus.core.errors import RefocusError
from refocus.lmm.prompts import Prompt
from refocus.select.picks import Picks
from refocus.select.selector import ClipView, question_seed

if TYPE_CHECKING:
    from refocus.policy.frame_policy import FramePolicy
    from refocus.policy.network import ClipState
    from refocus.qa.records import Question

NOT_NUMBERS = "the policy's probabilities are not numbers: its weights are broken, or training diverged"


class PolicySelector:
    """`refocus/<run>`, the same policy without the options (`refocus-question/<run>`) or without feedback
    (`first-step/<run>`, `marginals/<run>`), and `initial/<run>`.

    All numbers of frames come from one rollout of the largest: its first n picks.
    """

    def __init__(
        self,
        policy: "FramePolicy",
        images: Callable[[str], np.ndarray],
        settings: SelectSettings,
        nested: bool = True,
        with_options: bool = True,
    ):
        """
        Args:
            images: the kept frames of a clip_id, uint8 (T, h, w, 3), at any size.
            nested: False asks anew for each number of frames, because Eq. 10 averages over as many steps.
            with_options: False asks the question without its options.
        """
        self.policy = policy
        self.images = images
        self.settings = settings
        self.nested = nested
        self.with_options = with_options

    def pick(
        self, clip: ClipView, questions: Sequence["Question"], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; scores are the log-probabilities of the picks."""
        prompts = [Prompt.of(question) if self.with_options else Prompt(question.question) for question in questions]
        seeds = [question_seed(self.settings.seed, question.qa_id) for question in questions]
        read = self.policy.read_clip(self.images(clip.clip_id))  # once, however often it is asked about

        def ask(n: int) -> list[Picks]:
            return ask_policy(self.policy, read, prompts, n, seeds, self.settings)

        if not self.nested:
            return {n: ask(n) for n in budgets}
        picked = ask(max(budgets))
        return {n: [picks.first(n) for picks in picked] for n in budgets}


def ask_policy(
    policy: "FramePolicy",
    clip: "ClipState | np.ndarray",
    prompts: Sequence[Prompt],
    n_frames: int,
    seeds: Sequence[int],
    settings: SelectSettings,
) -> list[Picks]:
    """Picks min(n_frames, T) frames for every prompt about one clip, as the settings say; see `refocus.policy.pick`.

    Args:
        clip: from `FramePolicy.read_clip`, or its images, uint8 (T, h, w, 3).
        seeds: one per prompt.
    Raises:
        RefocusError: the policy's probabilities are no numbers.
    """
    with computing(policy, settings):
        made = policy.pick(
            clip, prompts, n_frames, seeds, settings.mode, settings.temperature, settings.marginal_samples
        )
    if made.score.isnan().any():
        raise RefocusError(NOT_NUMBERS)
    return [
        Picks(tuple(order), tuple(score)) for order, score in zip(made.order.tolist(), made.score.tolist(), strict=True)
    ]


def computing(policy: "FramePolicy", settings: PolicySection) -> contextlib.AbstractContextManager:
    """A context in which the policy computes in the precision that the settings have on its device."""
    from refocus.policy.precision import autocast

    return autocast(policy.device, settings.precision_on(policy.device.type))


def load_policy(path: str | Path, device: str, threads: int, kernels: str = "auto") -> "FramePolicy":
    """A policy folder (or hub id) on a device, ready to pick; kernels: its back end there.

    Raises:
        UsageError: there is no such folder and no such hub model, or it cannot be read.
        ResourceMissing: device cuda where there is none, or kernels that do not load.
    """
    import torch

    from refocus.lmm.loading import find_device
    from refocus.policy.frame_policy import FramePolicy

    torch.set_num_threads(threads)
    place = find_device(device)
    policy = FramePolicy.from_pretrained(path).to(place).eval()
    # a selection is a set, whatever the policy was trained with; the authors' scripts do so too
    policy.config = dataclasses.replace(policy.config, replacement=False)
    policy.backbone.use(kernels)
    return policy
