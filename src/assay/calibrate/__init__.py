"""Calibration: people label some of what the judge scored, and say how far it can be believed."""

from __future__ import annotations

from assay.calibrate.agreement import compare
from assay.calibrate.items import Item, draw, read_labels, write_form, write_items
from assay.records import Agreement, Corrected

__all__ = [
    "Agreement",
    "Corrected",
    "Item",
    "compare",
    "draw",
    "read_labels",
    "write_form",
    "write_items",
]
