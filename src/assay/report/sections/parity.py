"""Serving parity: does the endpoint answer as the weights do, and where not, why."""

from __future__ import annotations

from collections.abc import Iterator

from assay.report.contents import Parity, Report
from assay.report.parity import ends_elsewhere, near
from assay.report.section import Cell, Column, Note, Phrase, Section, Table, note, titled

_CAUSES = {
    "none": "Every answer is the same as that of the weights.",
    "decoding": "The difference is one of decoding: ",
    "template": "The difference is one of the template: the endpoint makes another number of "
    "tokens of the prompts than the weights' own template does, and what it answers is not what "
    "the weights would behind their own.",
    "model": "The difference is most likely one of the model: behind the same prompts, by the "
    "number of their tokens, the weights would not answer so. The endpoint serves other weights, "
    "these ones quantised, or a prompt that differs within the same length; or it decodes by what "
    "is not tried here, such as a frequency or presence penalty, no_repeat_ngram_size or beams.",
    "unknown": "Whether the difference is one of decoding or of the model is not known: the "
    "weights have not read the endpoint's answers, which `assay run` on one machine has them do.",
}
_UNCOUNTED = (
    "Whether the difference is one of the template or of the model is not known: the endpoint does "
    "not count the tokens of its prompts, and behind their own the weights would not answer so."
)
_CUTS = (
    "the endpoint cuts answers at a limit of its own, lower than generate.max_new_tokens, or where "
    "its context ends: {capped:,} of {answered:,}"
)
_CAPPED = "Up to there each token is the weights' first choice, or as good as it."
_PENALISED = (
    "each token is the weights' first choice under a repetition penalty of about {penalty:g}, or a "
    "like one: many servers take it from the model's generation_config.json. Set the "
    "endpoint's own parameter in extra_body, such as repetition_penalty: 1."
)
_FEWER = (
    " It counts fewer: that may also be prompts that it cuts, for want of context, or a system "
    "turn that it leaves out."
)
_ENDED = (
    "but for where answers end, each token is the weights' first choice, or as good as it. The "
    "endpoint stops at words (stop) or sooner, or goes on where the weights end (min_tokens, "
    "ignore_eos); weights that were tuned to end elsewhere look the same."
)
_ROUNDED = "each token is the weights' first choice, or as good as it."
_DRAWN = "asked again it answers otherwise, as likely as the weights themselves draw: it samples."
_SAMPLED = (
    "it was asked to sample, or takes no temperature, and its answers are as likely as the "
    "weights' own draws."
)


def section(report: Report) -> Section | None:
    """Return it where one side is behind an endpoint and the other has weights."""
    parity = report.parity
    if parity is None:
        return None
    blocks = (note(said(parity)), _table(parity), _quiet())
    return Section(name="parity", title="Serving parity", blocks=blocks)


def said(parity: Parity) -> str:
    """Return what came of it in words, the answers first."""
    same = f"{parity.same:,} of {parity.answered:,} answers are the same."
    more = ""
    if parity.cause == "decoding":
        more = _decoding(parity)
    if parity.cause == "template" and parity.more_tokens < 0:
        more = _FEWER
    if not parity.answered:
        return "No answers to compare."
    uncounted = parity.cause == "unknown" and parity.read
    return f"{same} {_UNCOUNTED if uncounted else _CAUSES[parity.cause]}{more}{_besides(parity)}"


def _is_capped(parity: Parity) -> bool:
    """Return whether most answers that differ were cut where the weights went on."""
    return 2 * parity.capped > parity.answered - parity.same


def _besides(parity: Parity) -> str:
    told = parity.cause == "decoding" and _decoding(parity) == _capped(parity)
    return "" if told or not _is_capped(parity) else f" Besides, {_cuts(parity)}."


def _cuts(parity: Parity) -> str:
    return _CUTS.format(capped=parity.capped, answered=parity.answered)


def _capped(parity: Parity) -> str:
    return f"{_cuts(parity)}. {_CAPPED}"


def _decoding(parity: Parity) -> str:
    if parity.penalty:
        return _PENALISED.format(penalty=parity.penalty)
    if ends_elsewhere(parity):
        return _ENDED
    if _is_capped(parity) and near(parity):
        return _capped(parity)
    if parity.sampled:
        return _SAMPLED
    return _DRAWN if parity.repeated_same < parity.repeated else _ROUNDED


def _table(parity: Parity) -> Table:
    columns = (Column(title="Of the endpoint's answers"), Column(title="", number=True))
    return Table(title="", columns=columns, rows=tuple(_rows(parity)))


def _rows(parity: Parity) -> Iterator[Phrase]:
    yield titled("the same as the weights'", [f"{parity.same:,} of {parity.answered:,}"])
    differ = f"{parity.counts_differ:,} of {parity.counted:,}"
    more = f" ({parity.more_tokens:+g} at the median)" if parity.counts_differ else ""
    yield titled("prompts of another number of tokens", [f"{differ}{more}"])
    if parity.repeated:
        again = f"{parity.repeated_same:,} of {parity.repeated:,}"
        yield titled("the same when asked again", [again])
    if parity.first is not None and parity.regret is not None:
        yield titled("read by the weights", [f"{parity.read:,} ({parity.tokens:,} tokens)"])
        yield titled("tokens that are the weights' first choice", [f"{parity.first:.1%}"])
        yield titled("the first choice likelier by, nats a token", [f"{parity.regret:.3f}"])
        if ends_elsewhere(parity):
            yield titled("of these where an answer ends", [f"{parity.ending:.3f}"])
    if parity.surprise:
        low, high = parity.surprise
        yield titled("less likely than own draws by, nats a token", [f"{low:.2f} to {high:.2f}"])


def _quiet() -> Note:
    text = (
        "Answers are compared without the blanks around them. The weights read the answers that "
        "differ first, 64 at most, behind the prompt as their own template writes it."
    )
    return Note(phrases=((Cell(text=text),),), look="quiet")
