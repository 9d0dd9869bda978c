"""One tiny policy on both back ends."""

import torch
from refocus.policy.rollout import rollout, score

from tests.support.tiny_policy import PROMPTS, build_features


def assert_twins(policy, counts=(5, 7), candidates=2, frames=3, **close):
    """Plain torch and the kernels give the same picks, log-probabilities, entropies and parameter gradients.

    Args:
        close: rtol and atol; a gradient's atol is relative to the largest entry of that parameter's gradient.
    """
    features = [clip.to(policy.device) for clip in build_features(policy, list(counts))]
    results, picks = [], None
    for backend in ("torch", "kernels"):
        policy.backbone.use(backend)
        policy.zero_grad(set_to_none=True)
        clips = policy.prefix(features)
        asked = policy.ask(clips, [0, 1, 1], PROMPTS)
        sampled = rollout(policy, clips, asked, candidates, frames, [1, 2, 3])
        picks = sampled.picks if picks is None else picks
        assert torch.equal(sampled.picks, picks)
        scored = score(policy, clips, asked, picks)
        (scored.logp.sin().sum() + scored.entropy.sum()).backward()
        gradients = {name: p.grad for name, p in policy.named_parameters() if p.grad is not None}
        results.append(({"rollout": sampled.logp, "logp": scored.logp, "entropy": scored.entropy}, gradients))
    (plain, gradients), (fast, fast_gradients) = results
    for name, expected in plain.items():
        torch.testing.assert_close(fast[name], expected, msg=lambda text, name=name: f"{name}: {text}", **close)
    assert fast_gradients.keys() == gradients.keys() and len(gradients) > 20
    for name, expected in gradients.items():
        scale = expected.abs().max().clamp(min=1e-12)
        torch.testing.assert_close(
            fast_gradients[name] / scale,
            expected / scale,
            msg=lambda text, name=name: f"gradient of {name}: {text}",
            **close,
        )
