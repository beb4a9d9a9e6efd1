"""Which samples belong together, so that an interval does not count them as so many draws."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.dataset.hashes import HashFile
from assay.dataset.likeness import NearPrompts, hashes_of
from assay.dataset.origins import RowOrigin
from assay.dataset.selection import prompt_hash, prompt_key
from assay.dataset.shelved import Shelved, pick
from assay.dataset.text_order import TextOrder
from assay.dataset.unions import Unions, alike
from assay.records import Sample


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Into how many `clusters` the samples fall, one on its own counted as one, and what joined
    them: cause -> how many clusters fewer it left than the causes before it."""

    clusters: int
    joined: Mapping[str, int] = field(default_factory=dict)


def cluster(
    samples: Sequence[Sample],
    origins: Mapping[str, RowOrigin],
    column: str = "",
    *,
    near: bool = True,
) -> tuple[Sequence[Sample], Clusters]:
    """Return the samples with their `cluster`, and what joined them: the conversation that they
    are turns of, the value in `column`, the same prompt but for case and white space, and
    with `near` a prompt much like it; what is joined with one sample of a cluster is joined with
    all of it.

    A cluster is called as the least id in it, so that it depends on no order of the samples.
    """
    unions = Unions(len(samples))
    rows, groups, keys = array("q"), list[str](), list[bytes]()
    prompts = _Prompts() if near else None
    for sample in samples:
        origin, key = origins[sample.id], prompt_key(sample)
        rows.append(origin.row)
        groups.append(origin.group)
        keys.append(prompt_hash(key))
        if prompts:
            prompts.add(keys[-1], key, sample)
    joined = {
        "conversation": unions.join(alike(rows)),
        f"column {column}": unions.join(alike(groups)),
        "same prompt": unions.join(alike(keys)),
        "near prompt": unions.join(_near(prompts, unions) if prompts else ()),
    }
    summary = Clusters(
        clusters=unions.sets, joined={cause: count for cause, count in joined.items() if count}
    )
    return _named(samples, unions), summary


class _Prompts:
    """The prompts of samples, each once, at the place of the first sample that has it."""

    def __init__(self) -> None:
        self.places, self.hashes, self.order = array("q"), HashFile(), TextOrder()
        self._seen, self._samples = set[bytes](), 0

    def add(self, name: bytes, key: str, sample: Sample) -> None:
        """Take in the prompt of the next sample, which is called `name`, with its `key`."""
        if name not in self._seen:
            self._seen.add(name)
            self.order.add(key, len(self.places))
            self.places.append(self._samples)
            self.hashes.add(hashes_of(sample))
        self._samples += 1

    def forget(self) -> None:
        """Drop what is only needed until all are known."""
        self._seen.clear()


def _near(prompts: _Prompts, unions: Unions) -> Iterator[tuple[int, int]]:
    """Yield the near-duplicates among the prompts, in the order of their texts, that are not yet in
    one set."""
    prompts.forget()
    places = prompts.places
    alike = NearPrompts(prompts.hashes, array("q", map(unions.find, places)))
    for left, right in alike.candidates(array("q", prompts.order.places())):
        pair = places[left], places[right]
        if unions.find(pair[0]) != unions.find(pair[1]) and alike.alike(left, right):
            yield pair


def _named(samples: Sequence[Sample], unions: Unions) -> Sequence[Sample]:
    roots = unions.roots()
    several = {root for place, root in enumerate(roots) if root != place}
    least: dict[int, str] = {}
    members = array("q", (place for place, root in enumerate(roots) if root in several))
    for place, sample in zip(members, pick(samples, members), strict=True):
        root = roots[place]
        least[root] = min(sample.id, least.get(root, sample.id))
    if isinstance(samples, Shelved):
        names = {root: number for number, root in enumerate(least, 1)}
        of = array("q", (names.get(root, 0) for root in roots))
        return samples.clustered(of, ("", *least.values()))
    return [
        replace(sample, cluster=least[root]) if root in least else sample
        for sample, root in zip(samples, roots, strict=True)
    ]
