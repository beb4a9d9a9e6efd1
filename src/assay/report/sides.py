"""What the report says of each side: its model, what proves it, and what its answers look like."""

from __future__ import annotations

from assay.model import apart
from assay.records import Generation
from assay.report.contents import SideSummary
from assay.report.places import last
from assay.report.run import EvaluatedRun, SideRun


def summarise_side(run: EvaluatedRun, side: SideRun) -> SideSummary:
    """Return what a side answered with, how much, and what its judge took."""
    answers, generation, judging = side.answers, side.generation, side.judging
    given = answers.length >= 0
    return SideSummary(
        side=side.side,
        name=name_of(run, side),
        model=generation.model,
        base_model=generation.base_model,
        digest=generation.digest,
        proof=_proof(run, side),
        template=generation.template,
        engine=_engine(generation),
        samples=len(given),
        predictions=int(given.sum()),
        empty=int((answers.length == 0).sum()),
        cut=None if generation.given else int(answers.cut.sum()),
        capped=_capped(side),
        prompts_truncated=None if generation.given else int(answers.prompt_truncated.sum()),
        output_tokens=int(answers.tokens.sum()),
        thought_tokens=int(answers.thought_tokens.sum()),
        with_thought=int(answers.marked.sum()),
        mean_length=float(answers.length[given].mean()) if given.any() else 0.0,
        seconds=generation.seconds,
        origin=generation.origin,
        served=generation.served,
        given=generation.given,
        commentaries=len(judging.commented),
        judge_attempts=judging.attempts,
        judge_prompt_tokens=judging.prompt_tokens,
        judge_output_tokens=judging.output_tokens,
        judge_seconds=judging.seconds,
    )


def _capped(side: SideRun) -> int:
    """Return how many answers an endpoint cut before the limit that it was asked for, by the tokens
    that it counted."""
    limit = side.generation.settings.get("max_new_tokens")
    if not side.generation.served or not isinstance(limit, int):
        return 0
    answers = side.answers
    # one token less may be a count without the end
    before = (answers.tokens > 0) & (answers.tokens < limit - 1)
    return int((answers.cut & before).sum())


def without_weights(generation: Generation) -> bool:
    """Return whether Assay loaded nothing to have the answers: an endpoint or a file gave them."""
    return bool(generation.served or generation.given)


def identical(run: EvaluatedRun) -> int:
    """Return to how many samples both sides gave the same answer."""
    if run.baseline is None:
        return 0
    left, right = run.baseline.answers, run.candidate.answers
    both = (left.length >= 0) & (right.length >= 0)
    return int((both & (left.fingerprint == right.fingerprint)).sum())


def name_of(run: EvaluatedRun, side: SideRun) -> str:
    """Return what to call the model: what it was tuned from and how, where that is known,
    because the folder of a tuned model is mostly called "model"."""
    manifest, generation = run.manifest, side.generation
    if manifest and generation.digest and generation.digest == manifest.digest:
        how = "LoRA" if manifest.finetuning_type == "lora" else "full fine-tuning"
        return f"{last(manifest.base_model)} + {how}"
    if generation.base_model == generation.model or without_weights(generation):
        return last(generation.model)
    return " + ".join(map(last, apart(generation.model)))  # adapters on top of each other


def _proof(run: EvaluatedRun, side: SideRun) -> str:
    """What the digest of the weights proves, where it proves something."""
    manifest, digest = run.manifest, side.generation.digest
    if manifest is None or not digest:
        return ""
    if side.side == "candidate":
        return "the weights that were trained" if digest == manifest.digest else ""
    return "the base that was tuned" if digest == manifest.base_digest else ""


def _engine(generation: Generation) -> str:
    if without_weights(generation):
        return ""
    precision = generation.decoding.dtype if generation.decoding else ""
    return f"{generation.engine}, {precision}" if precision else generation.engine
