"""What must be known of a side whose model is behind an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records import Generation, Served, Side
from assay.report.contents import Caution
from assay.report.run import EvaluatedRun

_EFFECTS = {
    "temperature": "no temperature, so its answers need not be its likeliest ones",
    "seed": "no seed",
    "top_p": "no top_p",
    "system": "no system turn, which was put before what the user says",
    "thinking": "no thinking",
}


def cautions(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield what must be known of each such side."""
    for side in run.sides:
        if served := side.generation.served:
            name = f"{side.generation.model} at {served.endpoint}"
            yield Caution(
                severe=False,
                text=f"The {side.side}'s answers come from {name}: its weights are not proven, "
                "since Assay did not serve them.",
            )
            yield from _refused(side.side, served)
            yield from _failed(side.side, served, len(run.positions))
            yield from _cut(side.side, served, len(run.positions))
            yield from _repeated(side.side, served, side.generation.settings.get("do_sample"))
    if behind := [side.side for side in run.sides if _lacks_likelihood(side.generation)]:
        yield Caution(
            severe=False,
            text=f"An endpoint gives no likelihood of the targets: eval_loss, accuracy and "
            f"perplexity are unavailable for the {' and the '.join(behind)}.",
        )


def _lacks_likelihood(generation: Generation) -> bool:
    return bool(generation.served and generation.settings.get("evaluate_loss"))


def _refused(side: Side, served: Served) -> Iterator[Caution]:
    for name in served.dropped:
        yield Caution(
            severe=False, text=f"The {side}'s endpoint takes {_EFFECTS.get(name, f'no {name}')}."
        )


def _failed(side: Side, served: Served, samples: int) -> Iterator[Caution]:
    if served.failed:
        causes = ", ".join(f"{count:,} {cause}" for cause, count in served.failed.items())
        yield Caution(
            severe=False,
            text=f"The {side}'s endpoint gave no answer to {sum(served.failed.values()):,} of "
            f"{samples:,} samples ({causes}): they have no score.",
        )


def _cut(side: Side, served: Served, samples: int) -> Iterator[Caution]:
    if served.cut_count:
        yield Caution(
            severe=True,
            text=f"The {side}'s endpoint cuts prompts without saying so: of {served.cut_count:,} "
            f"of {samples:,} it counted far fewer tokens than they have, such as "
            f"id={served.cut[0]}. Serve the model with a longer context.",
        )


def _repeated(side: Side, served: Served, sampled: object) -> Iterator[Caution]:
    differing = served.repeated - served.repeated_same
    if differing and not sampled:
        yield Caution(
            severe=False,
            text=f"The {side}'s endpoint answered {differing} of {served.repeated} samples "
            "otherwise when asked again: it does not decode greedily, or not the same each time.",
        )
