"""Answers that an earlier run gave to the same question, taken instead of given again.

An entry is one file, CACHE/KEY-DEVICE.zip: it is there whole or not at all, however many write it.
KEY is over all that the answers depend on. Whatever is wrong with an entry, or with its place, is
a line in the log, and the answers are made anew: no run fails because of it.
"""

from assay.reuse.entry import NONE, Entry, check, find
from assay.reuse.exchange import keep, take

__all__ = ["NONE", "Entry", "check", "find", "keep", "take"]
