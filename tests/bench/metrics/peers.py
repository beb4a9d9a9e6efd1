"""The peers: what others do with the same pairs, each over all pairs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

Pairs = Sequence[tuple[str, str]]
Values = list[dict[str, float]]

LLAMAFACTORY = ("bleu-4", "rouge-1", "rouge-2", "rouge-l")
ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def compute_similarity(pairs: Pairs) -> Values:
    """LLaMA-Factory's ComputeSimilarity, as its trainer calls it."""
    import numpy as np
    from llamafactory.train.sft.metric import ComputeSimilarity

    texts = list(map(list, zip(*pairs, strict=True)))
    tokenizer = SimpleNamespace(pad_token_id=0, batch_decode=lambda ids, **_: texts[int(ids[0, 0])])
    compute = ComputeSimilarity(tokenizer)
    ids = SimpleNamespace(predictions=np.array([[0]]), label_ids=np.array([[1]]))
    compute(ids, compute_result=False)
    columns: dict[str, list[float]] = compute.score_dict
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def datasets_map(processes: int) -> Callable[[Pairs], Values]:
    """LLaMA-Factory's scripts' way: datasets.map of one row after the other, over processes."""

    def compute(pairs: Pairs) -> Values:
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()

        rows = Dataset.from_list([{"predict": output, "label": target} for output, target in pairs])
        scored = rows.map(_score_row, num_proc=processes, remove_columns=rows.column_names)
        values: Values = scored.to_list()
        return values

    return compute


def nltk_meteor(wordnet: Any) -> Callable[[Pairs], Values]:
    """nltk's METEOR over the same words, its WordNet loaded."""

    def compute(pairs: Pairs) -> Values:
        from nltk.tokenize import wordpunct_tokenize
        from nltk.translate.meteor_score import meteor_score

        return [
            {
                "meteor": 100
                * meteor_score(
                    [wordpunct_tokenize(target)], wordpunct_tokenize(output), wordnet=wordnet
                )
            }
            for output, target in pairs
        ]

    return compute


def rouge_scorer(stemmed: bool) -> Callable[[Pairs], Values]:
    """rouge-score's RougeScorer."""

    def compute(pairs: Pairs) -> Values:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(ROUGE, use_stemmer=stemmed)
        suffix = "-stem" if stemmed else ""
        return [
            {name + suffix: 100 * found.fmeasure for name, found in scores.items()}
            for scores in (scorer.score(target, output) for output, target in pairs)
        ]

    return compute


def _score_row(row: dict[str, str]) -> dict[str, float]:
    return compute_similarity([(row["predict"], row["label"])])[0]
