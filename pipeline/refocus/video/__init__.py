"""Probing, frame plans and decoding of video files with PyAV. Nothing here imports torch."""
