"""What must be known of a side whose model is behind an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assay.records import Generation, Served, Side
from assay.report.contents import Caution
from assay.report.run import EvaluatedRun
from assay.served import is_same
from assay.text import some

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
                f"since Assay did not serve them.{_named(side.generation.model, served)}",
            )
            yield from _several(side.side, served)
            yield from _moved(side.side, served)
            yield from _refused(side.side, served)
            yield from _failed(side.side, served, len(run.positions))
            yield from _cut(side.side, served, len(run.positions))
            yield from _repeated(side.side, served, side.generation.settings.get("do_sample"))
    yield from _one_for_both(run)
    if behind := [side.side for side in run.sides if _lacks_likelihood(side.generation)]:
        yield Caution(
            severe=False,
            text=f"An endpoint gives no likelihood of the targets: eval_loss, accuracy and "
            f"perplexity are unavailable for the {' and the '.join(behind)}.",
        )


def _named(asked: str, served: Served) -> str:
    """Return what the endpoint says of who answered, "" where that is who was asked."""
    others = [name for name in served.models if not is_same(asked, name)]
    return f" The endpoint says that {some(others)} answered." if others else ""


def _several(side: Side, served: Served) -> Iterator[Caution]:
    """Yield where the endpoint calls the models that answered by names of different ones."""
    kinds: list[list[str]] = []
    for name in served.models:
        kind = next((kind for kind in kinds if all(is_same(name, each) for each in kind)), None)
        if kind is None:
            kinds.append([name])
        else:
            kind.append(name)
    if len(kinds) > 1:
        yield Caution(
            severe=False,
            text=f"The {side}'s answers are from more than one model, by what its endpoint calls "
            f"them: {_counts(served.models)}. Its numbers are those of no one model.",
        )


def _moved(side: Side, served: Served) -> Iterator[Caution]:
    if len(served.endpoints) > 1:
        yield Caution(
            severe=False,
            text=f"The {side}'s endpoint has moved: {_counts(served.endpoints)}. That all serve "
            "the same model is taken from its name.",
        )


def _counts(named: Mapping[str, int]) -> str:
    first, *more = [f"{count:,} from {name}" for name, count in named.items()]
    return some([first.replace(" from", " answers are from", 1), *more], 4)


def _one_for_both(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield where two models were asked for and one is said to have answered for both."""
    names = {side.generation.model for side in run.sides}
    said = {tuple(side.generation.served.models) for side in run.sides if side.generation.served}
    alone = next(iter(said)) if len(said) == 1 else ()
    both = all(side.generation.served for side in run.sides)
    if len(names) == 2 and both and len(alone) == 1:
        yield Caution(
            severe=False,
            text=f"Asked for {' and for '.join(sorted(names))}, the endpoints say that {alone[0]} "
            "answered both: look whether these are two models.",
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
