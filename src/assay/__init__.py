"""Assay: evaluates every fine-tune automatically, and says whether the result can be trusted."""

__version__ = "0.1.0"
