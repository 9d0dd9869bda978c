"""The synthetic world: videos, questions, and the tiny models of the demo."""
