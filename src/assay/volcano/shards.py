"""A generation by many pods: each answers its share of the samples, and the last to end puts the
answers together.

A share is kept in the store as it goes, as any task's work is, and lies whole beside the others
when it is done. So a pod that is made anew goes on with its own, and disturbs no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import durable, generate, progress, store, task
from assay.errors import InUseError, StoreError
from assay.queues import Work
from assay.records import Generation
from assay.share import Share, all_of
from assay.volcano import published
from assay.volcano.work import PODS, SHARDS

INDEX = "VC_TASK_INDEX"


def own(work: Work, environment: Mapping[str, str]) -> list[Share]:
    """Return the shares of the pod that this process is in: one, where there are as many pods."""
    count = int(environment.get(SHARDS, "1")) if work.stage == "generate" else 1
    first = int(environment.get(INDEX, "0")) if count > 1 else 0
    return all_of(count)[first :: int(environment.get(PODS) or count)]


def answer_all(
    work: Work, shares: Sequence[Share], folder: Path, listen: progress.Listener
) -> dict[str, Any]:
    """Answer one share after the other, as `answer` does, until the whole is there."""
    for number, share in enumerate(shares):
        if number and (before := published.found(work)) is not None:
            return dict(before)
        if whole := answer(work, share, folder, listen):
            return whole
    return {}


def answer(work: Work, share: Share, folder: Path, listen: progress.Listener) -> dict[str, Any]:
    """Answer a share of the samples, in the `folder`, and publish the whole where that was the last
    one. Return the whole's metadata, {} where it is not there yet."""
    samples = store.fetch(work.samples, folder / "samples")
    out = folder / "predictions"
    here: dict[str, Any] = {"samples": samples, "out": out, "listen": listen}
    taken = task.take(**work.arguments, **here, accelerated=None)
    if not taken:
        _answer(work, share, samples, folder / share.name, listen)
        if left := sum(not store.exists(_place(work, each)) for each in all_of(share.of)):
            print(f"shard {share.index + 1} of {share.of} is answered; {left} are not", flush=True)
            if store.exists(work.key):  # a pod that found all in the cache was faster
                durable.forget(work.key)
            return {}
    return _published(work, share, samples, out, taken)


def _place(work: Work, share: Share) -> str:
    return durable.shard_of(work.key, share)


def _answer(work: Work, share: Share, samples: Path, part: Path, listen: progress.Listener) -> None:
    place = _place(work, share)
    if store.exists(place):
        print(f"shard {share.index + 1} of {share.of} was answered by an earlier try", flush=True)
        return
    partial = generate.work_folder(part)
    with durable.durable(work.stage, {part: place}, partial, generate.UNFINISHED):
        task.generate(
            **work.arguments, samples=samples, out=part, place=place, listen=listen, share=share
        )


def _published(
    work: Work, share: Share, samples: Path, out: Path, taken: Generation | None
) -> dict[str, Any]:
    """Publish the whole, unless another pod does, which may have ended at the same moment; one that
    is killed at it is made anew, and goes on at once, since it holds the place by its own name."""
    try:
        with store.leased(f"{durable.area_of(work.key)}/whole", home=share.name):
            if before := published.found(work):
                return dict(before)
            done = taken or _merged(work, share, samples, out)
            durable.send_all(work.stage, {out: work.key}, f"the shards are beside {work.key}")
            durable.forget(work.key)
    except InUseError:
        print("another pod puts the answers together", flush=True)
        return {}
    except StoreError:  # where a store has no conditional writes, another may have been faster
        if before := published.found(work):
            return dict(before)
        raise
    return task.predictions_metadata(done)


def _merged(work: Work, share: Share, samples: Path, out: Path) -> Generation:
    places = (_place(work, each) for each in all_of(share.of))
    parts = [store.fetch(place, out.parent / "shards") for place in places]
    done = task.merge(**work.arguments, samples=samples, parts=parts, out=out, place=work.key)
    print(f"put {share.of} shards together: {done.samples} answers", flush=True)
    return done
