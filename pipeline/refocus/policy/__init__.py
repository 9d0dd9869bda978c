"""The frame policy: vision tower, Mamba-2 stack, selection heads, sampling and scoring of frame subsets."""
