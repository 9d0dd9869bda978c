"""Which optimiser `train.runtime.strategy` means."""

from refocus.config.train import TrainSettings
from refocus.policy.network import PolicyNetwork
from refocus.train.deepspeed_zero import DeepSpeedOptimiser
from refocus.train.optim import Optimiser
from refocus.train.parallel import Ranks


def build_optimiser(policy: PolicyNetwork, settings: TrainSettings, reinit_layers: int, ranks: Ranks) -> Optimiser:
    """The optimiser of `runtime.strategy`; alone, every process has all moments and the strategies are one."""
    kind = DeepSpeedOptimiser if ranks.world > 1 and settings.runtime.strategy == "deepspeed" else Optimiser
    return kind(policy, settings, reinit_layers, ranks)
