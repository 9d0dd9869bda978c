"""Errors, files, progress bars and devices: what every other room uses."""
