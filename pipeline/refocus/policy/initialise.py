"""Initialisation of the selection policy from a supervised base (B.2)."""

import torch
from torch import nn

from refocus.config.policy import PolicySettings
from refocus.core.errors import UsageError
from refocus.policy.network import PolicyNetwork


@torch.no_grad()
def initialise_selection(policy: PolicyNetwork, settings: PolicySettings, seed: int) -> None:
    """Re-initialises the last layers, the final norm's weight, the heads, `<start_of_frame>` and the logit scale.

    The last `reinit_layers` blocks start from Mamba-2's reference initialisation with gamma = `reinit_norm` in the
    gated norm inside the mixer (or in the block's own norm, `reinit_norm_at: block`). The global random state is left
    as it was.
    """
    config, stack, heads = policy.config, policy.backbone, policy.heads
    if settings.reinit_layers > config.layers:
        raise UsageError(
            f"policy.reinit_layers: {settings.reinit_layers} layers to re-initialise, the model has {config.layers}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for block in list(stack.layers)[config.layers - settings.reinit_layers :]:
            block.mixer.reset_parameters(config.layers)
            block.norm.weight.fill_(1.0)
            norm = block.mixer.norm if settings.reinit_norm_at == "mixer" else block.norm
            norm.weight.fill_(settings.reinit_norm)
        stack.norm_f.weight.fill_(1.0)
        nn.init.orthogonal_(heads.key.weight, gain=settings.key_gain)
        if settings.query_init == "key":
            heads.query.weight.copy_(heads.key.weight * (settings.query_gain / settings.key_gain))
        else:
            nn.init.orthogonal_(heads.query.weight, gain=settings.query_gain)
        nn.init.orthogonal_(heads.value.weight, gain=settings.value_gain)
        heads.value.bias.zero_()
        if heads.value.factor is not None:
            heads.value.factor.fill_(1.0)
        nn.init.normal_(stack.embedding.weight[config.start_of_frame], std=settings.start_of_frame_std)
        heads.set_scale(settings.logit_scale)


def reinitialised(policy: PolicyNetwork, reinit_layers: int) -> set[str]:
    """Names of the parameters that learn at the new parts' rate; `<start_of_frame>` is a row of the embedding."""
    first = policy.config.layers - reinit_layers
    layers = tuple(f"backbone.layers.{i}." for i in range(first, policy.config.layers))
    return {name for name, _ in policy.named_parameters() if name.startswith(("heads.", "backbone.norm_f.", *layers))}
