"""Samples that wait in a temporary file: there may be a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

from assay import store
from assay.records import Message, Role, Sample

T = TypeVar("T")


class Computed(Sequence[T]):
    """A sequence of `count` values, each of them made by its place whenever it is asked for."""

    def __init__(self, count: int, at: Callable[[int], T]) -> None:
        self._count, self._at = count, at

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return map(self._at, range(self._count))

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...

    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        found = range(self._count)[place]
        return self._at(found) if isinstance(found, int) else [self._at(each) for each in found]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Shelved(Computed[Sample]):
    """The samples at some `places` of a shelf, in their order; each has the one of the `names` as
    its cluster that `of` says, where it says so."""

    def __init__(
        self,
        shelf: store.Shelf,
        places: Sequence[int],
        of: Sequence[int] = (),
        names: Sequence[str] = ("",),
    ) -> None:
        super().__init__(len(places), self._sample)
        self._shelf, self._places, self._of, self._names = shelf, places, of, names

    def __iter__(self) -> Iterator[Sample]:
        found = self._shelf.some(self._places)
        if not self._of:
            return map(unpacked, found)
        return map(unpacked, found, (self._names[number] for number in self._of))

    def _sample(self, place: int) -> Sample:
        name = self._names[self._of[place]] if self._of else ""
        return unpacked(self._shelf[self._places[place]], name)

    def picked(self, places: Iterable[int]) -> Shelved:
        """Return those at the `places` of these, before they have clusters."""
        return Shelved(self._shelf, array("q", [self._places[place] for place in places]))

    def clustered(self, of: Sequence[int], names: Sequence[str]) -> Shelved:
        """Return these with the one of the `names` as cluster that `of` says."""
        return Shelved(self._shelf, self._places, of, names)


def shelved(samples: Iterable[Sample]) -> Shelved:
    """Return the samples, put away."""
    shelf = store.Shelf()
    for sample in samples:
        shelf.add(packed(sample))
    return Shelved(shelf, range(len(shelf)))


def pick(samples: Sequence[Sample], places: Iterable[int]) -> Sequence[Sample]:
    """Return the samples at the `places`; those that are put away stay there."""
    if isinstance(samples, Shelved):
        return samples.picked(places)
    return [samples[place] for place in places]


def packed(sample: Sample) -> tuple[Any, ...]:
    """Return a sample, without cluster and tags, as a shelf takes it."""
    turns = packed_turns(sample.messages)
    return sample.id, turns, sample.target, sample.target_role, sample.tools


def packed_turns(turns: Iterable[Message]) -> tuple[tuple[Role, str], ...]:
    """Return turns as a shelf takes them."""
    return tuple([(turn.role, turn.content) for turn in turns])


def unpacked_turns(parts: Iterable[tuple[Role, str]]) -> tuple[Message, ...]:
    """Return the turns that were packed."""
    return tuple([_message(role, content) for role, content in parts])


def unpacked(parts: tuple[Any, ...], cluster: str = "") -> Sample:
    """Return the sample that was `packed`, in a `cluster`."""
    name, turns, target, target_role, tools = parts
    sample = object.__new__(Sample)  # its own __init__ takes longer than to read it
    vars(sample).update(
        id=name,
        messages=unpacked_turns(turns),
        target=target,
        target_role=target_role,
        tools=tools,
        cluster=cluster,
        tags={},
    )
    return sample


def _message(role: Role, content: str) -> Message:
    message = object.__new__(Message)
    vars(message).update(role=role, content=content)
    return message
