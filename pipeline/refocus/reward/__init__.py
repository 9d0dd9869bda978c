"""The reward: how confidently an LMM prefers the right option when it sees a given subset of frames."""
