"""Policy-gradient training: objective, loop, checkpoints, several processes."""
