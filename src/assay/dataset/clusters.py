"""Which samples belong together, so that an interval does not count them as so many draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.dataset.likeness import NearPrompts
from assay.dataset.reading import RowOrigin
from assay.dataset.selection import prompt_key
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
) -> tuple[list[Sample], Clusters]:
    """Return the samples with their `cluster`, and what joined them: the conversation that they
    are turns of, the value in `column`, the same prompt but for case and white space, and
    with `near` a prompt much like it; what is joined with one sample of a cluster is joined with
    all of it.

    A cluster is called as the least id in it, so that it depends on no order of the samples.
    """
    unions, keys = Unions(len(samples)), [prompt_key(sample) for sample in samples]
    of = [origins[sample.id] for sample in samples]
    joined = {
        "conversation": unions.join(alike(origin.row for origin in of)),
        f"column {column}": unions.join(alike(origin.group for origin in of)),
        "same prompt": unions.join(alike(keys)),
        "near prompt": unions.join(_near(samples, keys, unions) if near else ()),
    }
    summary = Clusters(
        clusters=unions.sets, joined={cause: count for cause, count in joined.items() if count}
    )
    return _named(samples, unions), summary


def _near(
    samples: Sequence[Sample], keys: Sequence[str], unions: Unions
) -> Iterator[tuple[int, int]]:
    """Yield the near-duplicates among the prompts, each prompt once and in the order of its text,
    that are not yet in one set."""
    once = sorted(dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True)).items())
    places = [place for _, place in once]
    prompts = NearPrompts(
        [samples[place] for place in places], [unions.find(place) for place in places]
    )
    for left, right in prompts.candidates():
        pair = places[left], places[right]
        if unions.find(pair[0]) != unions.find(pair[1]) and prompts.alike(left, right):
            yield pair


def _named(samples: Sequence[Sample], unions: Unions) -> list[Sample]:
    roots = unions.roots()
    members: dict[int, list[str]] = {}
    for sample, root in zip(samples, roots, strict=True):
        members.setdefault(root, []).append(sample.id)
    names = {root: min(ids) if len(ids) > 1 else "" for root, ids in members.items()}
    return [
        replace(sample, cluster=names[root]) if names[root] else sample
        for sample, root in zip(samples, roots, strict=True)
    ]
