"""A key is in nothing that is kept of what an endpoint says, in whichever form it is quoted."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.judge import JudgeSettings, judge
from assay.judge.quoting import PIECE, hider
from tests.faults.endpoint import Answer, chat, error, scores, serving

Make = Callable[[int], tuple[Path, Path]]

KEY = "zQ9fW+3/kd_Lp77xT4vBn2=Rr"
CORE = "kd_lp77xt4vbn2"
FORMS = {
    "plain": KEY,
    "upper": KEY.upper(),
    "lower": KEY.lower(),
    "url": quote(KEY, safe=""),
    "path": quote(KEY),
    "url twice": quote(quote(KEY, safe=""), safe=""),
    "json": json.dumps(KEY).replace("/", "\\/").replace("+", "\\u002b"),
    "html": html.escape(f"'{KEY}'"),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "basic": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "basic, further": base64.urlsafe_b64encode(f"me:{KEY}".encode()).decode(),
    "digits": KEY.encode().hex().upper(),
    "cut": f"{KEY[:16]}...",
    "end": f"...{KEY[-16:]}",
    "over two lines": f"{KEY[:12]}\n{KEY[12:]}",
}
REPLIES: dict[str, Callable[[str], Answer]] = {
    "refusal": lambda form: error(400, f"the key {form} is not for you"),
    "trace": lambda form: error(500, f"Authorization: Bearer {form}"),
    "page": lambda form: Answer(status=422, body=f"<html><body>{form}</body></html>".encode()),
    "within 200": lambda form: Answer(body=json.dumps({"error": {"message": form}}).encode()),
    "header": lambda form: Answer(status=400, headers={"x-error-message": " ".join(form.split())}),
    "commentary": lambda form: chat(json.dumps({**json.loads(scores()), "commentary": form})),
    "no verdict": lambda form: chat(f"I saw {form}"),
    "thought": lambda form: chat("", reasoning_content=form),
    "refused": lambda form: chat(None, refusal=f"no, {form}"),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_key_is_kept(
    form: str, files: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_JUDGE_API_KEY", KEY)
    replies = list(REPLIES.values())
    with serving(lambda body: replies[_number(body) % len(replies)](FORMS[form])) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            self_test=False,
            flip_sample=0,
            retries=0,
            outage_s=0,
            max_wait_s=0,
            max_unscored=1.0,
        )
        judge(*files(len(replies)), tmp_path / "verdicts.jsonl", settings)
        sent = [headers.get("authorization") for headers in endpoint.headers]
    assert f"Bearer {KEY}" in sent
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.suffix != ".lock")
    assert kept.count("***") >= len(replies) // 2  # a part of them quotes nothing
    for piece in (*(part.lower() for part in FORMS[form].split()), CORE):
        assert piece.strip(".") not in kept.lower()


def _number(body: dict[str, object]) -> int:
    """Return the number of the sample in a prompt."""
    asked = re.search(r"What is s(\d+)", json.dumps(body["messages"]))
    return int(asked[1]) if asked else 0


SECRETS = st.text(string.ascii_letters + string.digits + "+/=_-.\"'\\&<%", min_size=16, max_size=60)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(SECRETS.filter(lambda text: any(map(str.isdigit, text))), AROUND, AROUND, st.data())
def test_whatever_a_text_has_of_a_secret_is_less_than_a_piece(
    secret: str, before: str, behind: str, data: st.DataObject
) -> None:
    if not any(map(str.isalpha, secret)):
        secret += "a"
    start = data.draw(st.integers(0, len(secret) - PIECE))
    end = data.draw(st.integers(start + PIECE, len(secret)))
    for quoted in (secret, secret[start:end], secret[start:end].upper(), quote(secret, safe="")):
        shown = hider((secret,))(f"{before}{quoted}{behind}".encode()).decode().lower()
        grams = {secret[at : at + PIECE].lower() for at in range(len(secret) - PIECE + 1)}
        assert not [gram for gram in grams if gram in shown]


@pytest.mark.parametrize("start", ["\\u0034", "\\n", "\\u0076\\u0034", "\\\\n", "\\\\", ""])
@pytest.mark.parametrize(
    "secret", ["n4lue-0f-the-header", "4lue-0f-the-header", "u0f-the-header-01"]
)
def test_an_escape_before_a_piece_stays_whole(start: str, secret: str) -> None:
    body = f'{{"error": "x{start}{secret[1:]} x{start}{secret}"}}'
    shown = hider((secret,))(body.encode()).decode()
    assert secret[2:] not in shown
    assert json.loads(shown)["error"].startswith(json.loads(f'"x{start}"')[:2])


@given(st.binary(max_size=200))
def test_what_is_no_secret_stays_as_it_is(content: bytes) -> None:
    assert hider((KEY,))(content) == content
    assert hider(())(content) == content


@pytest.mark.parametrize("value", ["https://team.example/judging/v1", "my team in Berlin 2026"])
def test_only_the_whole_of_what_is_no_random_value_is_hidden(value: str) -> None:
    hide = hider((value,))
    assert hide(f"see {value}!".encode()) == b"see ***!"
    assert hide(value[:-1].encode()) == value[:-1].encode()


def test_long_contents_without_a_secret_are_left_alone() -> None:
    drawn = random.Random(1)
    content = "".join(drawn.choices(string.printable, k=200_000)).encode()
    assert hider((KEY, "another-key-of-2026-abcdefgh"))(content) == content
