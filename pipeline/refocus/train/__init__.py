"""Policy-gradient training of the frame policy: objective, loop, checkpoints, records."""
