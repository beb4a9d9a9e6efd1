"""How an endpoint's answers look to weights: `python -m assay.engine.likeness SAMPLES WORK`.

WORK/job.json names the weights, WORK/answers.jsonl holds the predictions to look at, and
WORK/parity.jsonl gains a row for each. Nothing is generated: each answer is read once, behind the
prompt as the weights' own template writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from assay import process, store
from assay.folder import PARITY
from assay.llamafactory.job import JOB, GenerateJob
from assay.llamafactory.prompts import Coder, coder, pair
from assay.records import Likeness, Prediction, Sample

ANSWERS = "answers.jsonl"


def main(samples: Path, work: Path) -> None:
    """Read every answer."""
    process.end_with_parent()
    job = store.read_record(work / JOB, GenerateJob)
    answers = {row.id: row for row in store.read_rows(work / ANSWERS, Prediction)}
    coding = coder(job)
    model = _load(job, coding)
    with store.appending(work / PARITY) as file:
        for sample in store.read_rows(samples, Sample):
            if sample.id in answers:
                store.append(file, likeness(model, coding, sample, answers[sample.id]))


def likeness(model: Any, coding: Coder, sample: Sample, answer: Prediction) -> Likeness:
    """Return how one answer looks to the `model`."""
    import torch

    prompt, _ = pair(sample, coding.reading)
    written = coding.reading.tokenizer.encode(answer.output, add_special_tokens=False)
    written += [coding.ends[0]] if answer.finish == "stop" else []
    ids = torch.tensor([[*prompt, *written]], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
    chosen = torch.tensor(written, device=logits.device)
    logs = torch.log_softmax(logits, dim=-1)
    best, said = logs.max(dim=-1), logs.gather(1, chosen[:, None])[:, 0]
    entropy = -(logs.exp() * logs).sum(dim=-1)
    return Likeness(
        id=sample.id,
        prompt_tokens=len(prompt),
        tokens=len(written),
        first=int((best.indices == chosen).sum()),
        regret=float((best.values - said).sum()),
        surprise=float((-said - entropy).sum()),
    )


def _load(job: GenerateJob, coding: Coder) -> Any:
    from llamafactory.model import load_model
    from transformers import set_seed

    set_seed(job.load_seed)  # as training did: PiSSA's decomposition of the base is random
    tokenizer = coding.reading.tokenizer
    return load_model(tokenizer, coding.model, coding.finetuning, is_trainable=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
