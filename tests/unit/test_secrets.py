"""What may be a secret is refused, and no message quotes it, wherever in the settings it stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import config
from assay.errors import AssayError
from assay.settings import redacted

SECRET = "Zq9SECRETvalue7"
KEY = "sk-proj-abcdefghijklmnop1234"
HEX = "a1b2c3d4e5f60718293a4b5c6d7e8f90"

NAMES = (
    *("api_key", "apikey", "apiKey", "API_KEY", "api-key", "api_keys", "key", "accessKey"),
    *("token", "accessToken", "access_token", "hf_hub_token", "hftoken", "auth_tokens"),
    *("password", "passwd", "passwrd", "Password", "secret", "client_secret", "clientSecret"),
    *("authorization", "Authorization", "auth", "bearer", "credentials", "passphrase"),
)


def refusal(**sections: Any) -> str:
    """What a configuration with these sections is refused with."""
    usual = {"mode": "judge", "dataset": {"eval": "eval.json"}, "model": "m"}
    judge = {"endpoint": "http://127.0.0.1:9/v1", "model": "m", **sections.pop("judge", {})}
    with pytest.raises(AssayError) as caught:
        config.parse({**usual, "judge": judge, **sections})
    assert caught.value.exit_code == 2
    told = str(caught.value)
    assert not any(secret in told for secret in (SECRET, KEY, HEX))
    return told


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "place",
    [
        dict,
        lambda inner: {"panel": [inner]},
        lambda inner: {"panel": [{"model": "b", **inner}]},
        lambda inner: {"extra_body": inner},
        lambda inner: {"extra_body": {"provider": [{"routing": inner}]}},
        lambda inner: {"prices": inner},
        lambda inner: {"model": inner},
        lambda inner: {"api_key_env": inner},
        lambda inner: {"max_tokens": [inner]},
    ],
)
def test_a_secret_by_its_name_is_never_shown(name: str, place: Any) -> None:
    refusal(judge=place({name: SECRET}))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "passwrd"])
def test_a_name_that_means_a_secret_is_told_so(name: str) -> None:
    assert f".{name} looks like a secret" in refusal(judge={"extra_body": {"a": {name: SECRET}}})
    assert f"config.{name} looks like a secret" in refusal(**{name: SECRET})


@pytest.mark.parametrize(
    "judge",
    [
        {"headers": f"Authorization: Bearer {SECRET}"},
        {"headers": [f"Authorization: {SECRET}"]},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"headers": {"api-key": HEX}},
        {"headers": {"api-key": KEY}},
        {"api_key_env": HEX},
        {"api_key_env": [SECRET]},
        {"panel": f"api_key: {SECRET}"},
        {"panel": [{"model": "b", "api_key_env": KEY}]},
        {"temperature": f"Bearer {SECRET}"},
        {"max_tokens": f"{'x' * 190} {KEY}"},  # which a message cuts
        {"max_tokens": f"token={SECRET} and more"},
        {"query": {"api-key": SECRET}},
        {"endpoint": f"http://user:{SECRET}@127.0.0.1/v1"},
        {"endpoint": [f"http://user:{SECRET}@127.0.0.1/v1"]},
        {"endpoint": f"user:{SECRET}@127.0.0.1/v1"},
        {"endpoint": f"http://127.0.0.1/v1?key={SECRET}"},
        {"panel": [{"model": "b", "endpoint": f"http://u:{SECRET}@127.0.0.1/v1"}]},
        {"anchors": f"s3://u:{SECRET}@bucket/anchors"},
    ],
)
def test_a_secret_by_its_form_is_never_shown(judge: dict[str, Any]) -> None:
    refusal(judge=judge)


@pytest.mark.parametrize("scheme", ["http", "https", "s3", "minio", "HTTPS"])
@pytest.mark.parametrize("section", ["model", "baseline", "history"])
def test_no_address_holds_a_password(scheme: str, section: str) -> None:
    told = refusal(**{section: f"{scheme}://user:{SECRET}@host/path"})
    assert f"{section} holds a user name or password" in told


@pytest.mark.parametrize(
    "text",
    [
        "Unsupported parameter: 'max_tokens'",
        "token: 131072 is more than the model takes",
        "max_tokens: 16384 is more than 8192",
        "Bearer authentication required",
        "unknown token: response_format",
        "stop token: '<|im_end|>'",
        "monkey: 7bananas",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert redacted(text) == text


SECRETS = st.from_regex(r"[a-z]{3}[0-9][A-Za-z0-9_.-]{8,30}", fullmatch=True)
BEFORE = st.sampled_from(
    ["Bearer ", "basic ", "api_key=", 'api-key": "', "token: ", "password = ", "sk-", "x?sig="]
)


@given(st.text(max_size=20), BEFORE, SECRETS, st.sampled_from(["", " and more", '", "a": 1']))
def test_what_is_sent_as_a_secret_is_redacted_in_any_text(
    start: str, before: str, secret: str, end: str
) -> None:
    assert secret not in redacted(f"{start} {before}{secret}{end}")
