"""How an endpoint's answers look to weights: `python -m assay.engine.likeness SAMPLES WORK`.

WORK/job.json names the weights, WORK/answers.jsonl holds the predictions to look at, and
WORK/parity.jsonl gains a row for each. Nothing is generated: each answer is read once, behind the
prompt as the weights' own template writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay import process, store
from assay.engine.loading import load
from assay.folder import PARITY
from assay.llamafactory.job import JOB, GenerateJob
from assay.llamafactory.prompts import Coder, coder, pair
from assay.records import Likeness, Prediction, Sample

ANSWERS = "answers.jsonl"
PENALTIES = (1.02, 1.05, 1.1, 1.15, 1.2, 1.3)  # what models' own generation_config.json have
_AT_ONCE = 64  # tokens of an answer, as each has a number for every word of the vocabulary


def main(samples: Path, work: Path) -> None:
    """Read every answer."""
    process.end_with_parent()
    job = store.read_record(work / JOB, GenerateJob)
    answers = {row.id: row for row in store.read_rows(work / ANSWERS, Prediction)}
    coding = coder(job)
    model = load(job, coding)
    with store.appending(work / PARITY) as file:
        for sample in store.read_rows(samples, Sample):
            answer = answers.get(sample.id)
            if answer and is_as_written(coding, answer) and _is_known(coding, sample, answer):
                store.append(file, likeness(model, coding, sample, answer))


def _is_known(coding: Coder, sample: Sample, answer: Prediction) -> bool:
    """Return whether the weights have a place for every word of a prompt and its answer."""
    unknown = coding.reading.unknown
    written = [*pair(sample, coding.reading)[0], *_tokens(coding, answer)] if unknown else ()
    return unknown.isdisjoint(written)


def is_as_written(coding: Coder, answer: Prediction) -> bool:
    """Return whether an answer's text has as many tokens as the endpoint counted, its end among
    them or not: a model may write a text by other tokens than its tokenizer does, which it then
    finds unlikely. One whose tokens were not counted is taken to be so."""
    beyond = answer.output_tokens - len(_tokens(coding, answer))
    return not answer.output_tokens or beyond == 0 or (answer.finish == "stop" and beyond == 1)


def likeness(model: Any, coding: Coder, sample: Sample, answer: Prediction) -> Likeness:
    """Return how one answer looks to the `model`."""
    import torch

    prompt, _ = pair(sample, coding.reading)
    written = _tokens(coding, answer)
    ended = answer.finish == "stop"
    ids = torch.tensor([[*prompt, *written, *coding.ends[:ended]]], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
    if ended:  # which of the ends it was, the endpoint does not say
        written.append(max(coding.ends, key=lambda end: float(logits[-1, end])))
    chosen = torch.tensor(written, device=logits.device)
    logs = torch.log_softmax(logits, dim=-1)
    said = logs.gather(1, chosen[:, None])[:, 0]
    entropy = -(logs.exp() * logs).sum(dim=-1)
    return Likeness(
        id=sample.id,
        prompt_tokens=len(prompt),
        tokens=len(written),
        first=int((logits.argmax(dim=-1) == chosen).sum()),
        regret=_regret(logits, chosen),
        ending=_ending(logits, chosen, coding.ends),
        surprise=float((-said - entropy).sum()),
        penalised=_penalised(logits, chosen, prompt),
    )


def _tokens(coding: Coder, answer: Prediction) -> list[int]:
    ids: list[int] = coding.reading.tokenizer.encode(answer.output, add_special_tokens=False)
    return ids


def _regret(logits: Any, chosen: Any) -> float:
    """Return how much likelier the first choices are than what was chosen, in nats."""
    return float((logits.max(dim=-1).values - logits.gather(1, chosen[:, None])[:, 0]).sum())


def _ending(logits: Any, chosen: Any, ends: Sequence[int]) -> float:
    """Return the regret where one of the ends was chosen, or was the first choice."""
    import torch

    known = torch.tensor(list(ends), device=logits.device)
    there = torch.isin(chosen, known) | torch.isin(logits.argmax(dim=-1), known)
    return _regret(logits[there], chosen[there])


def _penalised(logits: Any, chosen: Any, prompt: Sequence[int]) -> dict[str, float]:
    """Return the regret under each of PENALTIES, as transformers and vLLM apply them."""
    import torch

    count, size = logits.shape
    since = torch.full((size,), count, device=logits.device)  # from which place on a token is there
    for place, token in reversed(list(enumerate(chosen[:-1].tolist(), 1))):
        since[token] = place
    since[torch.tensor(prompt, device=logits.device)] = 0
    places = torch.arange(count, device=logits.device)
    totals = dict.fromkeys(PENALTIES, 0.0)
    for part in range(0, count, _AT_ONCE):
        here = slice(part, part + _AT_ONCE)
        there = since[None, :] <= places[here, None]
        for penalty in PENALTIES:
            lower = torch.where(logits[here] > 0, logits[here] / penalty, logits[here] * penalty)
            some = torch.where(there, lower, logits[here])
            totals[penalty] += _regret(some, chosen[here])
    return {f"{penalty:g}": total for penalty, total in totals.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
