"""The frame-selection policy as it is used: its network, with its files, its initialisation and its picks."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from refocus.config.policy import PolicySettings
from refocus.core.checksums import CARD, write_sums
from refocus.core.files import write_json, write_text
from refocus.core.model_folder import CONFIG, HubAccess
from refocus.policy import hub, initialise, pretrained
from refocus.policy import pick as picking
from refocus.policy.model_card import card_of_weights
from refocus.policy.network import PolicyNetwork


class FramePolicy(PolicyNetwork):
    """pi_theta of the paper. Built from its config, or read with `from_pretrained`."""

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        settings: PolicySettings | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
    ) -> Self:
        """Reads a folder or hub model, float32 whatever it was stored as; safetensors only.

        Args:
            path: what `save_pretrained` wrote, or a public Mamba-2, Video-Ma2mba or ReFoCUS
                (`refocus.policy.public_checkpoints`).
            settings: `vision`, `variant` and `prompt` of it are applied.
            revision, token, cache_dir, local_files_only, force_download: of a hub model, as
                `huggingface_hub.ModelHubMixin.from_pretrained` takes them.
        Raises:
            UsageError: a file is missing, or its keys are not this model's; or a revision of a folder is asked for.
        """
        access = HubAccess(revision, token, cache_dir, local_files_only, force_download)
        return pretrained.load(cls, path, settings, access)

    def save_pretrained(self, folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
        """Writes config.json, model.safetensors (stored as `dtype`) and the tokenizer's files."""
        pretrained.save(self, folder, dtype)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        commit_message: str = "Push model using refocus.",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        allow_patterns: Sequence[str] | str | None = None,
        ignore_patterns: Sequence[str] | str | None = None,
        delete_patterns: Sequence[str] | str | None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Uploads the policy as it is in memory, in one commit; for the folder of a training run, whose card says what
        it was trained on, there is `refocus push` (`refocus.policy.hub`).

        The arguments are those of `huggingface_hub.ModelHubMixin.push_to_hub`.

        Args:
            config: in place of the policy's own config.json.
            private: of a repository that is not there yet; None: as its owner's account says.
            branch: None: the default branch.
            model_card_kwargs: metadata of the card, such as `{"license": "apache-2.0"}`.
        Returns:
            The address of the commit.
        Raises:
            UsageError: repo_id is no OWNER/NAME.
            RefocusError: the hub cannot be reached, or refuses.
        """
        hub.check_id(repo_id)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            if config is not None:
                write_json(Path(folder) / CONFIG, dict(config))
                write_sums(Path(folder))
            write_text(Path(folder) / CARD, str(card_of_weights(repo_id, model_card_kwargs or {}).content))
            with hub.hub(repo_id, token) as api:
                repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
                commit = api.upload_folder(
                    repo_id=repo_id,
                    folder_path=folder,
                    commit_message=commit_message,
                    revision=branch,
                    create_pr=create_pr,
                    allow_patterns=_patterns(allow_patterns),
                    ignore_patterns=_patterns(ignore_patterns),
                    delete_patterns=_patterns(delete_patterns),
                )
        return str(commit.commit_url)

    def initialise_selection(self, settings: PolicySettings, seed: int) -> None:
        """Turns a supervised base into a policy before training: B.2, see `refocus.policy.initialise`."""
        initialise.initialise_selection(self, settings, seed)

    read_clip = picking.read_clip  # what all questions about a clip start from
    pick = picking.pick  # frames of a clip for some questions
    likelihood = picking.likelihood  # how often each frame is picked, and Eq. 10
    marginals = picking.marginals  # Eq. 10 alone
    step_shares = picking.step_shares  # Eq. 10 over the steps of picks that were made


def _patterns(given: Sequence[str] | str | None) -> list[str] | str | None:
    return given if given is None or isinstance(given, str) else list(given)
