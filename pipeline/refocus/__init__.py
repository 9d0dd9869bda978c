"""ReFoCUS: frame selection for video-LMMs, from raw videos to a trained selector, its tables and its figures.

Importing the package imports nothing else; a decode worker never pays for torch.
"""

__version__ = "0.1.0"
