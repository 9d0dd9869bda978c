"""The policy: vision tower, Mamba-2 stack, heads, rollout and picking."""
