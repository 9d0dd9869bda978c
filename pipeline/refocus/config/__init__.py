"""Typed settings of every stage, from which schema, config.yaml and flags are made."""
