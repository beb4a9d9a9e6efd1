"""A model under test behind an OpenAI-compatible endpoint: asked as a judge is, by its client."""

from assay.judge.access import MODEL_VARIABLES
from assay.served.client import check_engine, check_settings, in_pods, variables
from assay.served.naming import is_same
from assay.served.parity import compare
from assay.served.preflight import check
from assay.served.settings import Named, ServedModel, read, served, text
from assay.served.stage import generate

__all__ = [
    "MODEL_VARIABLES",
    "Named",
    "ServedModel",
    "check",
    "check_engine",
    "check_settings",
    "compare",
    "generate",
    "in_pods",
    "is_same",
    "read",
    "served",
    "text",
    "variables",
]
