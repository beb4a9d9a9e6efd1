"""What a model is on disk, and the proof that it is the one it claims to be."""

from assay.model.base import check_fits
from assay.model.check import check_merge, check_whole, check_words, quantization, remarks
from assay.model.configuration import config_digest, configuration
from assay.model.files import check as check_folder
from assay.model.finite import check as check_finite
from assay.model.identity import content, tuned_from
from assay.model.latest import LATEST, is_latest_of, newest
from assay.model.loadable import Model, on_base
from assay.model.place import base_digest, local
from assay.model.resolve import fetch, pinned, read_manifest, resolve
from assay.model.several import apart, joined, names

__all__ = [
    "LATEST",
    "Model",
    "apart",
    "base_digest",
    "check_finite",
    "check_fits",
    "check_folder",
    "check_merge",
    "check_whole",
    "check_words",
    "config_digest",
    "configuration",
    "content",
    "fetch",
    "is_latest_of",
    "joined",
    "local",
    "names",
    "newest",
    "on_base",
    "pinned",
    "quantization",
    "read_manifest",
    "remarks",
    "resolve",
    "tuned_from",
]
