"""A trained policy asked about videos: one pass over a video's candidates serves all questions about it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.config.decode import DecodeSettings
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.core.model_folder import AS_LOGGED_IN, SHIPPED, HubAccess, find_folder
from refocus.core.project import project_root
from refocus.lmm.prompts import Prompt
from refocus.policy.trained_for import TrainedFor, read_trained_for
from refocus.select.encoded_video import EncodedVideo
from refocus.select.frame_selector import FrameSelector
from refocus.select.picks import Picks
from refocus.select.policy_selector import ask_policy, computing, load_policy
from refocus.select.video_selection import Curve
from refocus.video.decode import DecodedFrames

if TYPE_CHECKING:
    from torch import Tensor

    from refocus.policy.frame_policy import FramePolicy
    from refocus.policy.network import ClipState

SMALLEST_REAL_POLICY = 100_000_000  # parameters; a policy for real video has a SigLIP tower alone four times this size
WORLD_ONLY = (
    "this is a tiny demonstration model that only knows the synthetic world of `make demo`: "
    "on any other video its picks mean nothing"
)
MEANS = "probability that the policy picks the frame next, averaged over its picks"
TOGETHER = 16  # questions asked at once; each holds a copy of the keys of all candidates


class PolicyFrameSelector(FrameSelector):
    """Picks by a policy (Algorithm 2)."""

    name = "refocus"

    def __init__(
        self,
        policy: "FramePolicy",
        settings: SelectSettings | None = None,
        decode: DecodeSettings | None = None,
        trained_for: TrainedFor | None = None,
        path: str | None = None,
    ):
        """
        Args:
            trained_for: how it was trained to be asked; None where nobody wrote it down.
            path: where the policy was read from; None: a policy of your own making, which has no digest.
        Raises:
            UsageError: `decode` samples other candidates than training did.
        """
        self.policy = policy
        if trained_for is not None:
            decode, self.n_frames = trained_for.decode(decode), trained_for.n_frames
        super().__init__(settings or SelectSettings(), decode or DecodeSettings(), {}, path)

    @property
    def device(self) -> str:
        """See `FrameSelector`."""
        return self.policy.device.type

    @property
    def warning(self) -> str | None:  # type: ignore[override]
        """See `FrameSelector`."""
        size = sum(parameter.numel() for parameter in self.policy.parameters())
        return WORLD_ONLY if size < SMALLEST_REAL_POLICY else None

    def _read(self, candidates: DecodedFrames) -> "ClipState":
        with computing(self.policy, self.settings):
            return self.policy.read_clip(candidates.images)

    def _picks(
        self, encoded: EncodedVideo, prompts: Sequence[Prompt], n_frames: int, seeds: Sequence[int]
    ) -> list[tuple[Picks, Curve | None]]:
        made: list[tuple[Picks, Curve | None]] = []
        for first in range(0, len(prompts), TOGETHER):
            some = slice(first, first + TOGETHER)
            picked = ask_policy(self.policy, encoded.state, prompts[some], n_frames, seeds[some], self.settings)
            orders = [picks.order for picks in picked]
            with computing(self.policy, self.settings):
                shares = self.policy.step_shares(encoded.state, prompts[some], orders, self.settings.temperature)
            for picks, share in zip(picked, shares.tolist(), strict=True):
                made.append((picks, Curve(encoded.timestamps_s, tuple(share), MEANS)))
        return made

    def _tensors(self, state: "ClipState") -> Mapping[str, "Tensor"]:
        kept = {f"conv.{number}": part for number, part in enumerate(state.state.conv)}
        kept |= {f"ssm.{number}": part for number, part in enumerate(state.state.ssm)}
        return {"keys": state.keys, "values": state.values, "mask": state.mask, **kept}

    def _state(self, tensors: Mapping[str, "Tensor"]) -> "ClipState":
        from refocus.policy.network import ClipState
        from refocus.policy.stack import StackState

        device = self.policy.device
        here = {name: tensor.to(device) for name, tensor in tensors.items()}
        layers = range(sum(name.startswith("conv.") for name in here))
        stack = StackState(tuple(here[f"conv.{n}"] for n in layers), tuple(here[f"ssm.{n}"] for n in layers))
        return ClipState(here["keys"], here["values"], here["mask"], stack)


def load_policy_selector(
    path: str | Path,
    settings: SelectSettings | None = None,
    decode: DecodeSettings | None = None,
    access: HubAccess = AS_LOGGED_IN,
) -> PolicyFrameSelector:
    """A policy folder or hub id; access: how the latter is fetched. Of a revision, its files are the identity.

    Raises:
        UsageError: there is no such model, or `decode` samples other candidates than its training did.
        ResourceMissing: settings ask for CUDA where there is none.
    """
    settings = settings or SelectSettings()
    if access != AS_LOGGED_IN:
        path = find_folder(path, access=access)
    trained_for = read_trained_for(path)
    if trained_for is not None:
        trained_for.decode(decode)  # before the weights are read
    runtime = settings.runtime
    policy = load_policy(path, runtime.device, runtime.threads, runtime.kernels)
    return PolicyFrameSelector(policy, settings, decode, trained_for, str(path))


def embedded_model() -> Path:
    """The tiny policy that comes with the project.

    Raises:
        UsageError: it is not there.
    """
    for name in ("selector", "policy"):
        folder = project_root() / SHIPPED / name
        if (folder / "config.json").is_file():
            return folder
    raise UsageError("no embedded model is installed here; name a policy folder or hub id with --model")
