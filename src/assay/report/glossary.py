"""What each metric is, in one line, with its scale: a number explains itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["judge", "pairwise", "similarity", "own", "likelihood", "diagnostic"]

PERCENT = (0.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A metric's kind, its meaning for a reader, and its scale where it has one."""

    kind: Kind
    meaning: str
    scale: tuple[float, float] | None


def _judge(meaning: str) -> Entry:
    return Entry(kind="judge", meaning=f"Judge: {meaning}", scale=None)


def _similarity(meaning: str) -> Entry:
    return Entry(kind="similarity", meaning=f"{meaning}, 0 to 100.", scale=PERCENT)


def _rouge_chinese(unit: str) -> Entry:
    return _similarity(
        f"F1 over {unit} as LLaMA-Factory computes it: words by jieba, score by rouge_chinese"
    )


def _rouge_score(unit: str, words: str) -> Entry:
    return _similarity(f"F1 over {unit} as rouge-score computes it: {words}")


def _diagnostic(meaning: str, scale: tuple[float, float] | None = PERCENT) -> Entry:
    return Entry(kind="diagnostic", meaning=meaning, scale=scale)


def _likelihood(meaning: str, scale: tuple[float, float] | None = None) -> Entry:
    return Entry(kind="likelihood", meaning=meaning, scale=scale)


_UNITS = {
    "1": "single words",
    "2": "pairs of words",
    "L": "the longest common subsequence",
    "Lsum": "the longest common subsequences, line by line",
}
_CORPUS = "counts are summed over all samples and scored once, so there is no interval"

_ENTRIES = {
    "overall": _judge("its own overall score"),
    "instruction_following": _judge("does the answer do what was asked, as it was asked"),
    "quality": _judge("is the content correct, complete and useful"),
    "clarity": _judge("is the answer clear, well ordered and free of padding"),
    "safety": _judge("is the answer harmless"),
    "win-rate": Entry(
        kind="pairwise",
        meaning="Share of samples on which the judge prefers the candidate's answer, asked in both "
        "orders; a tie, or a preference that the order turns around, counts half. The difference "
        "is from 50, an even match.",
        scale=PERCENT,
    ),
    "order-flip": Entry(
        kind="pairwise",
        meaning="Share of pairs on which the judge's preference changed with the order: ties.",
        scale=PERCENT,
    ),
    "bleu-4": _similarity(
        "LLaMA-Factory's BLEU-4: a sentence BLEU over characters, not words (nltk, smoothing "
        "method 3), averaged over samples and not comparable with corpus BLEU"
    ),
    "rouge-1": _rouge_chinese(_UNITS["1"]),
    "rouge-2": _rouge_chinese(_UNITS["2"]),
    "rouge-l": _rouge_chinese(_UNITS["L"]),
    "meteor": _similarity(
        "METEOR: words matched by form, stem and WordNet synonym, with a penalty for scattered "
        "matches"
    ),
    "chrf": _similarity("chrF2: F-score over runs of 1 to 6 characters, as sacreBLEU computes it"),
    **{f"rouge{n}": _rouge_score(unit, "words of a-z and 0-9") for n, unit in _UNITS.items()},
    **{f"rouge{n}-stem": _rouge_score(unit, "Porter stems") for n, unit in _UNITS.items()},
    "exact-match": _similarity(
        "Share of answers that equal the target, but for case, punctuation and articles (SQuAD)"
    ),
    "token-f1": _similarity("F1 of the words that answer and target share (SQuAD)"),
    "corpus-bleu": _similarity(f"sacreBLEU's corpus BLEU (13a): {_CORPUS}"),
    "corpus-bleu-zh": _similarity(f"sacreBLEU's corpus BLEU for Chinese: {_CORPUS}"),
    "corpus-chrf": _similarity(f"sacreBLEU's corpus chrF2: {_CORPUS}"),
    "accuracy": _likelihood(
        "LLaMA-Factory's eval_accuracy: share of the target's tokens predicted when the tokens "
        "before are given (teacher-forced), 0 to 1. Not the share of right answers.",
        scale=(0.0, 1.0),
    ),
    "eval_loss": _likelihood(
        "LLaMA-Factory's evaluation loss: mean cross-entropy of the target's tokens, in nats."
    ),
    "perplexity": _likelihood(
        "The exponential of the loss with each token of the targets counting the same: between how "
        "many tokens the model is, on average, undecided."
    ),
    "length-ratio": _diagnostic(
        "Length of the answer over that of the target, in characters: 1 is the same.", scale=None
    ),
    "empty": _diagnostic("Share of answers that are empty or blank, 0 to 100."),
    "truncated": _diagnostic("Share of answers that were cut at max_new_tokens, 0 to 100."),
    "distinct-1": _diagnostic("Share of an answer's words that are distinct: low is repetitive."),
    "distinct-2": _diagnostic("Share of an answer's pairs of words that are distinct."),
    "language-mismatch": _diagnostic(
        "Share of answers in another script than the target's, 0 to 100."
    ),
}
_RANKS = {name: place for place, name in enumerate(_ENTRIES)}

TERMS = (
    (
        "95% interval",
        "Where the true mean plausibly lies, given these samples: as wide as bootstrap (BCa) and "
        "Student's t, wider where few scores or pairs differ; Wilson's for a share.",
    ),
    (
        "Difference",
        "Candidate minus baseline on the samples that both have a score for, paired sample by "
        "sample; so it is not quite the difference of the two means where one side lacks a score. "
        "A difference is shown where its whole interval lies on one side of 0.",
    ),
    (
        "Smallest detectable",
        "The minimum detectable effect: the smallest true difference that this many samples "
        "reveal in four runs of five. A smaller one can hide here.",
    ),
    (
        "Unscored",
        "A sample without a value, by cause. It is left out of the mean, never counted as 0.",
    ),
)


def entry(name: str, judged: bool, scale: tuple[int, int]) -> Entry:
    """Return the entry of the metric `name`, which the judge scored on the rubric's `scale` where
    `judged`; a rubric's own dimension is the judge's too, and a user's own metric has no known
    scale."""
    found = _ENTRIES.get(name, Entry(kind="own", meaning="", scale=None))
    if found.kind != "judge" and not (judged and found.kind == "own"):
        return found
    low, high = scale
    meaning = found.meaning or "Judge: a dimension of the rubric"
    return Entry(kind="judge", meaning=f"{meaning}, {low} to {high}.", scale=(low, high))


def rank(name: str) -> int:
    """Return the place of `name` in a table: the order here, what is not here last."""
    return _RANKS.get(name, len(_RANKS))
