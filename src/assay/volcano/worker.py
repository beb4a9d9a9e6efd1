"""What runs in the pods of a stage's Volcano Job: `python -m assay.volcano.worker`.

It reads the samples and models from the store, runs the stage as it runs anywhere, and publishes
the results to their final places. Of several pods of a fine-tune only the first publishes; the
others train with it through torchrun. Those of a generation answer a share each (shards).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, MutableMapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from assay import durable, finetune, generate, progress, store, task
from assay.engine import devices
from assay.errors import AssayError
from assay.queues import Work
from assay.volcano import lease, published, shards
from assay.volcano.work import MESSAGE, TAKEN_AWAY, WORK, Ending, failure, from_text


def main() -> None:
    """Do the work that the environment describes, and leave the ending where the launcher reads; a
    worker whose pod is taken away says so by its exit code."""
    os.dup2(1, 2)  # of two streams the container's runtime keeps no order
    try:
        _work()
    except KeyboardInterrupt as ending:
        print(f"assay: {ending}", flush=True)
        raise SystemExit(TAKEN_AWAY) from None


def _work() -> None:
    work = from_text(os.environ[WORK])
    node = _torchrun(os.environ)
    with task.running(work.store) as listen:
        try:
            with nullcontext() if node else lease.watched(work):
                ending = Ending(metadata=_done(work, node, listen))
        except AssayError as error:
            _leave(failure(error))
            raise
        _leave(ending)


def _done(work: Work, node: int, listen: progress.Listener) -> dict[str, Any]:
    if (before := published.found(work)) is not None:
        if node:
            return {}
        durable.forget(work.key)
        return dict(before)
    folder = Path(tempfile.gettempdir()) / "work"
    shares = shards.own(work, os.environ)
    if not shares[0].is_whole:
        return shards.answer_all(work, shares, folder, listen)
    samples = store.fetch(work.samples, folder / "samples")
    made = {name: folder / name for name in work.outputs}
    run, partial, unfinished = {
        "finetune": (_finetune, finetune.work_folder(folder / "model"), finetune.UNFINISHED),
        "generate": (_generate, generate.work_folder(folder / "predictions"), generate.UNFINISHED),
    }[work.stage]
    places = {made[name]: uri for name, uri in work.outputs.items()}
    if node:  # it goes on from where the first one does
        store.Area(partial, durable.area_of(work.key), unfinished).take_up()
        task.assist(work.arguments["settings"], samples, folder / "model", listen)
        return {}
    with durable.durable(work.stage, places, partial, unfinished):
        return run(work, samples, made, listen)


def _finetune(
    work: Work, samples: Path, made: Mapping[str, Path], listen: progress.Listener
) -> dict[str, Any]:
    given = work.arguments["settings"]
    manifest = task.finetune(given, samples, made["model"], made["training"], listen)
    return task.model_metadata(manifest)


def _generate(
    work: Work, samples: Path, made: Mapping[str, Path], listen: progress.Listener
) -> dict[str, Any]:
    out = made["predictions"]
    return task.predictions_metadata(
        task.generate(**work.arguments, samples=samples, out=out, place=work.key, listen=listen)
    )


def _torchrun(environment: MutableMapping[str, str]) -> int:
    """Return which pod of the Job this is, and tell LLaMA-Factory: its torchrun variables count
    nodes where those of Volcano's pytorch plugin, of the same names, count pods."""
    nodes = int(environment.pop("WORLD_SIZE", "1"))
    node = int(environment.pop("RANK", "0"))
    if nodes > 1:
        environment.update(FORCE_TORCHRUN="1", NNODES=str(nodes), NODE_RANK=str(node))
        environment.setdefault("NPROC_PER_NODE", str(_devices()))
    return node


def _devices() -> int:
    return max(1, devices.in_sight())


def _leave(ending: Ending) -> None:
    if MESSAGE.exists():  # in a pod
        MESSAGE.write_bytes(store.to_json(ending))


if __name__ == "__main__":
    main()
