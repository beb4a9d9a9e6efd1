"""What samples are of by themselves: how long the prompt is, in which script, of which dataset."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assay.dataset.column import MAX_TAG
from assay.dataset.reading import RowOrigin
from assay.records import ENTRY, PROMPT_LENGTH, SCRIPT, Sample
from assay.script import script_of
from assay.text import one_line

_BOUNDS = (200, 1_000, 4_000, 16_000)
_BANDS = ("under 200", "200 to 999", "1000 to 3999", "4000 to 15999", "16000 or more")


def tagged(
    samples: Sequence[Sample], origins: Mapping[str, RowOrigin], columns: Sequence[str]
) -> list[Sample]:
    """Return the samples with their tags: what the user's `columns` hold, then what is known
    anyway. A column of the same name counts alone."""
    same: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    tagged_samples = []
    for sample in samples:
        origin = origins[sample.id]
        own = (tag for tag in _own(sample, origin) if tag[1] and tag[0] not in columns)
        tags = (*origin.tags, *own)
        tagged_samples.append(replace(sample, tags=same.setdefault(tags, dict(tags))))
    return tagged_samples


def _own(sample: Sample, origin: RowOrigin) -> Iterator[tuple[str, str]]:
    """Yield the entry of a dataset_info.json, the script of what is asked last, and the characters
    of the whole prompt as a band."""
    yield ENTRY, one_line(origin.entry)[:MAX_TAG]
    yield SCRIPT, script_of(sample.messages[-1].content).lower()
    length = sum(len(message.content) for message in sample.messages)
    yield PROMPT_LENGTH, _BANDS[bisect_right(_BOUNDS, length)]
