"""What samples are of by themselves: how long the prompt is, in which script, of which dataset."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from assay.dataset.column import MAX_TAG
from assay.dataset.origins import RowOrigin
from assay.records import ENTRY, PROMPT_LENGTH, SCRIPT, Sample
from assay.script import script_of
from assay.text import one_line

_BOUNDS = (200, 1_000, 4_000, 16_000)
_BANDS = ("under 200", "200 to 999", "1000 to 3999", "4000 to 15999", "16000 or more")


def tagged(
    samples: Iterable[Sample], origins: Mapping[str, RowOrigin], columns: Sequence[str]
) -> Iterator[Sample]:
    """Yield the samples, none of them kept, with their tags: what the user's `columns` hold, then
    what is known anyway: the entry of a dataset_info.json, the script of what is asked last, the
    characters of the prompt as a band. A column of such a name counts alone."""

    for sample in samples:
        origin, last = origins[sample.id], sample.messages[-1].content
        length = sum(len(message.content) for message in sample.messages)
        own = {
            ENTRY: one_line(origin.entry)[:MAX_TAG] if origin.entry else "",
            SCRIPT: script_of(last).lower(),
            PROMPT_LENGTH: _BANDS[bisect_right(_BOUNDS, length)],
        }
        told = {name: tag for name, tag in own.items() if tag and name not in columns}
        yield Sample(**{**vars(sample), "tags": {**dict(origin.tags), **told}})
