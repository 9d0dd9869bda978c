"""Figures from what the other stages wrote."""
