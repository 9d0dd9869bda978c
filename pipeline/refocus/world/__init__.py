"""The synthetic world: videos, questions and tiny models on which the whole method is proved without downloads."""
