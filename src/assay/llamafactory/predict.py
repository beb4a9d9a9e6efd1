"""The child process that answers: `python -m assay.llamafactory.predict SAMPLES WORK SIDE`.

WORK/job.json says what to do. eval_loss and accuracy come from LLaMA-Factory's own evaluation; the
answers from its model, tokenizer, template and truncation, decoded in batches of similar length
(LLaMA-Factory's do_predict takes them in the order of the file, and keeps nothing until the end).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import process, progress, store
from assay.errors import InputError
from assay.llamafactory.answer import Reader, read, reader, until_end
from assay.llamafactory.loss import MEASURED, watch_token_loss
from assay.records import Prediction, Sample

_ROLES = {
    "user": "user",
    "assistant": "assistant",
    "function_call": "function",
    "observation": "observation",
}


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One sample as the model sees it: token ids, and whether cutoff_len cut any off. `wanted` is
    its target as the template makes it, None where that is the sample's own text."""

    id: str
    tokens: list[int]
    truncated: bool
    calls: bool
    wanted: str | None


def main(samples: Path, work: Path, side: str) -> None:
    """Evaluate and answer; what an earlier try has finished is kept."""
    process.end_with_parent()
    started = time.monotonic()
    job = store.read_json(work / "job.json")
    rows = list(store.read_rows(samples, Sample))
    listen = progress.to_file(work / "progress.jsonl")
    if job["settings"]["evaluate_loss"] and not (work / "all_results.json").is_file():
        _evaluate(job, len(rows), work, side, listen)
    _answer(job, rows, work, side, listen)
    store.write_json(work / "seconds.json", time.monotonic() - started)


def _evaluate(
    job: Mapping[str, Any], samples: int, work: Path, side: str, listen: progress.Listener
) -> None:
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    batch_size = job["settings"]["batch_size"]
    with progress.track(listen, "eval_loss", side=side, total=samples, unit="samples") as tracker:

        class Report(TrainerCallback):  # type: ignore[misc]
            def on_init_end(self, *_args: Any, model: Any, **_kwargs: Any) -> None:
                self.token_loss = watch_token_loss(model)

            def on_prediction_step(self, *_args: Any, **_kwargs: Any) -> None:
                tracker.at(min(samples, tracker.event.done + batch_size))

        run_exp(
            {
                **_loading(job),
                "stage": "sft",
                "do_eval": True,
                "compute_accuracy": True,
                "eval_dataset": "eval",
                "dataset_dir": str((work / "data").resolve()),
                "output_dir": str((work / "evaluation").resolve()),
                "overwrite_cache": True,
                "per_device_eval_batch_size": batch_size,
                "report_to": "none",
                "seed": job["load_seed"],
            },
            callbacks=[report := Report()],
        )
    results = store.read_json(work / "evaluation" / "all_results.json")
    if token_loss := report.token_loss():
        results[MEASURED] = token_loss
    store.write_json(work / "all_results.json", results)


def _answer(
    job: Mapping[str, Any], rows: list[Sample], work: Path, side: str, listen: progress.Listener
) -> None:
    done = _already_done(work / "predictions.jsonl")
    with progress.track(
        listen, "generate", side=side, total=len(rows), unit="samples", done=len(done)
    ) as tracker:
        todo = [row for row in rows if row.id not in done]
        with store.appending(work / "predictions.jsonl") as file:
            for predictions in _batches(job, todo) if todo else ():
                for prediction in predictions:
                    store.append(file, prediction)
                tracker.advance(len(predictions))


def _already_done(path: Path) -> set[str]:
    return {row.id for row in store.read_rows(path, Prediction)} if path.is_file() else set()


def _batches(job: Mapping[str, Any], rows: list[Sample]) -> Iterator[list[Prediction]]:
    import torch
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.hparams import get_infer_args
    from llamafactory.model import load_model, load_tokenizer
    from transformers import set_seed

    arguments = get_infer_args(_loading(job) | _decoding(job))
    model_arguments, data_arguments, finetuning_arguments, generating_arguments = arguments
    tokenizer = load_tokenizer(model_arguments)["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_arguments)
    set_seed(job["load_seed"])  # as training did: PiSSA's decomposition of the base is random
    model = load_model(tokenizer, model_arguments, finetuning_arguments, is_trainable=False)
    cutoff = job["settings"]["cutoff_len"]
    added = model_arguments.add_special_tokens or []
    options = _generation_options(generating_arguments, tokenizer, added)
    skip_special = generating_arguments.skip_special_tokens
    reading = reader(tokenizer, template, options["eos_token_id"], added, skip_special)
    prompts = [encode(row, reading, cutoff) for row in rows]
    prompts.sort(key=lambda prompt: len(prompt.tokens), reverse=True)
    size = job["settings"]["batch_size"]
    for start in range(0, len(prompts), size):
        torch.manual_seed(job["settings"]["seed"] + start)
        yield _decode(model, reading, prompts[start : start + size], options)


def encode(row: Sample, reading: Reader, cutoff_len: int) -> Prompt:
    """Return the prompt's token ids as LLaMA-Factory's UnsupervisedDatasetProcessor makes them,
    its truncation (which leaves room for the target) included, and what its target comes to."""
    from llamafactory.data.processor.processor_utils import infer_seqlen

    system = "".join(turn.content for turn in row.messages if turn.role == "system")
    turns = [
        {"role": _ROLES[turn.role], "content": turn.content}
        for turn in row.messages
        if turn.role != "system"
    ]
    turns.append({"role": _ROLES[row.target_role], "content": row.target})
    tokenizer, template = reading.tokenizer, reading.template
    try:
        tokens, target = template.encode_oneturn(tokenizer, turns, system, row.tools)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"id={row.id}: the template cannot write this function call: {error}",
            "Correct the call, use a template that can, or leave the sample out",
        ) from error
    if template.efficient_eos:
        target = [*target, tokenizer.eos_token_id]
    length, _ = infer_seqlen(len(tokens), len(target), cutoff_len)
    calls = row.target_role == "function_call"
    wanted = read(reading, until_end(target, reading.ends), calls)
    return Prompt(
        id=row.id,
        tokens=tokens[:length],
        truncated=length < len(tokens),
        calls=wanted.is_call,
        wanted=None if wanted.text == row.target else wanted.text,
    )


def _decode(
    model: Any, reading: Reader, prompts: list[Prompt], options: Mapping[str, Any]
) -> list[Prediction]:
    import torch

    width = max(len(prompt.tokens) for prompt in prompts)
    padding = [width - len(prompt.tokens) for prompt in prompts]
    tokens = [
        [options["pad_token_id"]] * pad + prompt.tokens
        for pad, prompt in zip(padding, prompts, strict=True)
    ]
    mask = [[0] * pad + [1] * (width - pad) for pad in padding]
    with torch.inference_mode():
        answers = model.generate(
            input_ids=torch.tensor(tokens, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            **options,
        )[:, width:].tolist()
    return [
        _prediction(prompt, answer, reading)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def _prediction(prompt: Prompt, ids: list[int], reading: Reader) -> Prediction:
    written = until_end(ids, reading.ends)
    answer = read(reading, written, prompt.calls)
    return Prediction(
        id=prompt.id,
        output=answer.text,
        finish="stop" if len(written) < len(ids) else "length",
        prompt_tokens=len(prompt.tokens),
        output_tokens=len(written),
        prompt_truncated=prompt.truncated,
        thought=answer.thought,
        written=answer.written,
        unanswered=answer.unanswered,
        wanted=prompt.wanted,
    )


def _generation_options(arguments: Any, tokenizer: Any, added: Sequence[str]) -> dict[str, Any]:
    """Return what LLaMA-Factory passes to `model.generate`: its arguments and all end tokens. A
    token that the settings `added` is a word of the data, no end."""
    words = [str(token) for token in tokenizer._extra_special_tokens if str(token) not in added]
    extra = tokenizer.convert_tokens_to_ids(words)
    ends = dict.fromkeys([tokenizer.eos_token_id, *(i for i in extra if i != -1)])
    return {
        **arguments.to_dict(obey_generation_config=True),
        "eos_token_id": list(ends),
        "pad_token_id": tokenizer.pad_token_id,
    }


def _loading(job: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {
        **job["settings"]["llamafactory"],
        "model_name_or_path": job["base"],
        "template": job["settings"]["template"],
        "cutoff_len": job["settings"]["cutoff_len"],
    }
    if job["adapter"]:
        arguments |= {"adapter_name_or_path": job["adapter"], "finetuning_type": "lora"}
    return arguments


def _decoding(job: Mapping[str, Any]) -> dict[str, Any]:
    names = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "repetition_penalty")
    return {name: job["settings"][name] for name in names}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
