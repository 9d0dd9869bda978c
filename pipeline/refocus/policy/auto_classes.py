"""Policies by `transformers.AutoModel`: the classes come from this package, never from the repository."""

import os
from typing import Any, Self

from transformers import AutoConfig, AutoModel, PretrainedConfig

from refocus.core.errors import UsageError
from refocus.core.model_folder import CONFIG, SMALL_FILES, HubAccess, find_folder, read_json
from refocus.policy.frame_policy import FramePolicy

MODEL_TYPE = "refocus"  # of our config.json, and of the authors' weights
IGNORED = {"adapter_kwargs", "code_revision", "trust_remote_code", "_from_auto", "_commit_hash"}  # AutoModel's own


class RefocusConfig(PretrainedConfig):
    """What `AutoConfig` makes of a policy's config.json, whose keys `refocus.policy.config.PolicyConfig` explains."""

    model_type = MODEL_TYPE


class AutoFramePolicy(FramePolicy):
    """`FramePolicy`, read as `AutoModel.from_pretrained` asks its classes to."""

    config_class = RefocusConfig

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, path: str | os.PathLike[str], *, config: RefocusConfig | None = None, **asked: Any
    ) -> Self:
        """As `FramePolicy.from_pretrained`; what `AutoModel` adds of its own is passed over.

        Raises:
            UsageError: config is not the folder's, whose weights would not fit another one.
        """
        asked = {name: value for name, value in asked.items() if name not in IGNORED}
        if config is not None:
            access = HubAccess(**{name: value for name, value in asked.items() if name != "settings"})
            own = read_json(find_folder(path, SMALL_FILES, access=access) / CONFIG)
            given = config.to_dict()
            if other := [name for name, value in own.items() if name in given and given[name] != value]:
                raise UsageError(
                    f"{path}: its config.json has another {', '.join(other)} than the config that is given"
                )
        return super().from_pretrained(path, **asked)


def register_auto_classes() -> None:
    """Lets `transformers.AutoConfig` and `AutoModel` read policies: ours and the authors', by folder or hub id.

    `AutoModel.from_pretrained(…)` then gives a `FramePolicy`, without `trust_remote_code`. May be called again.
    """
    AutoConfig.register(MODEL_TYPE, RefocusConfig, exist_ok=True)
    AutoModel.register(RefocusConfig, AutoFramePolicy, exist_ok=True)
