"""Errors, files, progress, devices: what every room stands on."""
