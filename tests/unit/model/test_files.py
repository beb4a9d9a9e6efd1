"""What a model's folder lacks is told before anything loads it: by file, and with what to do."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import config, model, plan, preflight, store
from assay.errors import InputError, StageError
from tests.models import LORA, safetensors, tokenizer, write_adapter, write_model

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 538090408\n"
EMBEDDING = "model.embed_tokens.weight"
SHARD = "model-0000{}-of-00003.safetensors"
Change = Callable[[Path], object]


class Code:
    """What a pickle runs when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, size: int) -> Change:
    return lambda folder: write(name, (folder / name).read_bytes()[:size])(folder)


def sharded(*present: int) -> Change:
    """Have the weights in three files, of which those are there."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        names = {f"tensor.{number}": SHARD.format(number) for number in (1, 2, 3)}
        index = json.dumps({"weight_map": names})
        (folder / "model.safetensors.index.json").write_text(index)
        for number in present:
            shard = safetensors({f"tensor.{number}": (2, 2)})
            (folder / SHARD.format(number)).write_bytes(shard)

    return change


def deep(count: int, *, indexed: bool = False, prefix: str = "model.", **config: Any) -> Change:
    """Have weights of so many layers, in one file or by an index, and this configuration."""

    def change(folder: Path) -> None:
        names = [f"{prefix}layers.{at}.mlp.up_proj.weight" for at in range(count)]
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
        (folder / "model.safetensors").write_bytes(safetensors(dict.fromkeys(names, (2, 2))))
        if indexed:
            (folder / "model.safetensors").rename(folder / SHARD.format(1))
            index = json.dumps({"weight_map": dict.fromkeys(names, SHARD.format(1))})
            (folder / "model.safetensors.index.json").write_text(index)

    return change


def lying(folder: Path) -> None:
    """Have an index that names tensors which its files lack."""
    sharded(1, 2, 3)(folder)
    names = {f"tensor.{number}": SHARD.format(1 + number % 3) for number in (1, 2, 3)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def unpaired(factor: str) -> Change:
    """Leave one of an adapter's two factors out."""
    held = {name: shape for name, shape in LORA.items() if factor not in name}
    return write("adapter_model.safetensors", safetensors(held))


def unpacked(*folders: str) -> Change:
    """Leave a checkpoint whose weights are in pieces."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        for name in folders:
            (folder / name).mkdir()

    return change


def pickled(value: object, *, zipped: bool = True) -> Change:
    """Have the weights pickled, as torch writes them now and as it did."""
    data = pickle.dumps(value, protocol=2)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    before = b"".join(pickle.dumps(number, protocol=2) for number in (1, 1001, 0))
    content = held.getvalue() if zipped else before + data + pickle.dumps([], protocol=2)

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(content)

    return change


def lengthened(by: bytes) -> Change:
    def change(folder: Path) -> None:
        with (folder / "model.safetensors").open("ab") as file:
            file.write(by)

    return change


def declared(**said: object) -> Change:
    """Have the header say something else of the first tensor."""

    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        end = 8 + struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8:end])
        header[EMBEDDING] |= said
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[end:])

    return change


def dangling(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(folder.parent / "blobs" / "gone")

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove("tokenizer.json"), "base has no tokenizer.*Copy the tokenizer's files into it"),
        (remove("model.safetensors"), r"holds no weights, no model\.safetensors.*Copy the weights"),
        (dangling("model.safetensors"), r"holds no weights, no model\.safetensors"),
        (unpacked("global_step10"), r"checkpoint of DeepSpeed's ZeRO.*zero_to_fp32\.py"),
        (unpacked("pytorch_model_fsdp_0"), "checkpoint of FSDP.*accelerate merge-weights"),
        (sharded(1, 3), rf"lacks {SHARD.format(2)}, of the 3 files"),
        (sharded(1, 2, 3), ""),
        (lying, r"base lacks weights: tensor\.1, tensor\.2, tensor\.3\. Copy its files"),
        (sharded(), rf"lacks {SHARD.format(1)}, .*{SHARD.format(3)}, of the 3 files"),
        (write("model.safetensors.index.json", b"{}"), ""),
        (cut("model.safetensors", 4), r"model\.safetensors is no safetensors file, or cut off"),
        (cut("model.safetensors", 40), r"model\.safetensors is no safetensors file, or cut off"),
        (cut("model.safetensors", -1), r"model\.safetensors is cut off: 1 of its bytes"),
        (write("model.safetensors", b""), r"model\.safetensors is no safetensors file, or cut off"),
        (write("model.safetensors", b"\2" + b"\0" * 7 + b"[]"), "its header is damaged"),
        (write("model.safetensors", b"\7" + b"\0" * 7 + b'{"a":1}'), "its header is damaged"),
        (
            lengthened(b"more"),
            r"model\.safetensors is damaged: 4 bytes stand after its last tensor",
        ),
        (declared(shape=[4, 1]), rf"is damaged: its tensor {EMBEDDING} is not where"),
        (declared(dtype="BF16"), rf"is damaged: its tensor {EMBEDDING} is not where"),
        (declared(dtype="BF16", shape=[4, 4]), ""),
        (declared(data_offsets=[4, 36]), rf"is damaged: its tensor {EMBEDDING} is not where"),
        (declared(data_offsets=[-4, 32]), rf"is damaged: its tensor {EMBEDDING} is not where"),
        (write("model.safetensors", POINTER), r"model\.safetensors is a pointer of Git LFS.*pull"),
        (write("tokenizer.json", POINTER), r"tokenizer\.json is a pointer of Git LFS"),
        (cut("tokenizer.json", 20), r"tokenizer\.json is not JSON"),
        (pickled({"a": 1}), ""),
        (pickled({"a": 1}, zipped=False), ""),
        (pickled(Code()), r"pytorch_model\.bin would have \S+\.print run.*safetensors"),
        (pickled(Code(), zipped=False), r"pytorch_model\.bin would have \S+\.print run"),
        (
            lambda folder: (pickled({"a": 1})(folder), cut("pytorch_model.bin", -9)(folder)),
            r"pytorch_model\.bin is cut off",
        ),
        (write("config.json", b"[]"), r"config\.json is no JSON object"),
        (
            write("config.json", b'{"model_type": "llama", "attn_implementation": "who/kernel"}'),
            r"names code of a hub to run \(attn_implementation: who/kernel\)",
        ),
        (deep(3, num_hidden_layers=2), "has weights of 3 layers, and num_hidden_layers .* is 2"),
        (deep(3, num_hidden_layers=2, indexed=True), "has weights of 3 layers"),
        (
            deep(3, prefix="model.language_model.", text_config={"num_hidden_layers": 1}),
            "has weights of 3 layers, and num_hidden_layers .* is 1",
        ),
        (deep(4, num_hidden_layers=2, num_nextn_predict_layers=1), "has weights of 4 layers"),
        (deep(3, num_hidden_layers=2, num_nextn_predict_layers=1), ""),
        (deep(2, num_hidden_layers=2), ""),
        (deep(3, num_hidden_layers="2"), ""),
        (deep(3), ""),
        (deep(3, prefix="visual.", num_hidden_layers=2), ""),
        (lambda _: None, ""),
    ],
)
def test_a_model_that_is_not_whole(change: Change, told: str, tmp_path: Path) -> None:
    change(write_model(tmp_path / "base"))
    resolved = model.resolve(str(tmp_path / "base"), weights=False)
    if told:
        with pytest.raises(InputError, match=told) as caught:
            model.check_whole(resolved)
        assert len(str(caught.value).splitlines()) == 1
    else:
        model.check_whole(resolved)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove("adapter_model.safetensors"), r"holds no weights, no adapter_model\.safetensors"),
        (cut("adapter_model.safetensors", 30), r"adapter_model\.safetensors is no safetensors"),
        (cut("adapter_model.safetensors", -2), r"adapter_model\.safetensors is cut off: 2 of"),
        (write("adapter_model.safetensors", POINTER), "pointer of Git LFS"),
        (unpaired("lora_A"), r"adapter lacks weights: \S+\.lora_A\.weight"),
        (unpaired("lora_B"), r"adapter lacks weights: \S+\.lora_B\.weight"),
        (lambda _: None, ""),
    ],
)
def test_an_adapter_that_is_not_whole(change: Change, told: str, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    change(write_adapter(tmp_path / "adapter", base))
    resolved = model.resolve(str(tmp_path / "adapter"), weights=False)
    if told:
        with pytest.raises(InputError, match=told):
            model.check_whole(resolved)
    else:
        model.check_whole(resolved)
    (base / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="base has no tokenizer"):
        model.check_whole(resolved)


def test_a_model_in_a_store_is_looked_at_by_its_names(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    whole, torn = write_model(tmp_path / "whole"), write_model(tmp_path / "torn")
    sharded(1, 2)(torn)
    for folder in (whole, torn):
        store.publish(folder, f"{bucket}/{folder.name}")
    model.check_whole(model.resolve(f"{bucket}/whole", weights=False))
    with pytest.raises(InputError, match=rf"{bucket}/torn lacks {SHARD.format(3)}"):
        model.check_whole(model.resolve(f"{bucket}/torn", weights=False))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def values(folder: Path, **more: Any) -> dict[str, Any]:
    rows = [{"instruction": f"ask {number}", "output": f"answer {number}"} for number in range(6)]
    (folder / "eval.json").write_text(json.dumps(rows))
    asked = {"mode": "auto", "baseline": "none", "generate": {"template": "qwen3"}}
    return {"dataset": {"eval": str(folder / "eval.json")}} | asked | more


@pytest.mark.parametrize("place", ["model", "baseline", "base_model", "finetune"])
def test_preflight_refuses_it_wherever_it_is_named(place: str, tmp_path: Path) -> None:
    torn, whole = write_model(tmp_path / "torn"), write_model(tmp_path / "whole")
    cut("model.safetensors", -1)(torn)
    adapter = write_adapter(tmp_path / "adapter", "owner/base")
    asked: dict[str, dict[str, Any]] = {
        "model": {"model": str(torn)},
        "baseline": {"model": str(whole), "baseline": str(torn)},
        "base_model": {"model": str(adapter), "base_model": str(torn)},
        "finetune": {
            "finetune": {"base_model": str(torn), "template": "qwen3"},
            "dataset": {"train": str(tmp_path / "eval.json"), "eval": str(tmp_path / "eval.json")},
        },
    }
    with pytest.raises(InputError, match=r"torn/model\.safetensors is cut off"):
        preflight.prepare(config.parse(values(tmp_path, **asked[place])), tmp_path / "run")


def test_all_that_is_wrong_with_a_model_is_told_at_once(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base")
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).unlink()
    with pytest.raises(InputError) as caught:
        model.check_whole(model.resolve(str(folder)))
    assert len(str(caught.value).splitlines()) == 2


def test_pickled_weights_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pickled({"a": 1})(write_model(tmp_path / "base"))
    asked = config.parse(values(tmp_path, model=str(tmp_path / "base")))
    preflight.tell_withheld(plan.make(asked))
    assert "base has pickled weights (pytorch_model.bin): tensors alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "words", "settings", "refused", "told"),
    [
        (64, {"<a>": True, "<b>": False}, {}, 'add_special_tokens: "<a>", add_tokens: "<b>"', ""),
        (64, {"<a>": False, "<b>": False}, {}, '{add_tokens: "<a>,<b>"}', ""),
        (64, {}, {}, "{resize_vocab: true}", ""),
        (64, {"<a>": True}, {"add_special_tokens": "<a>"}, "", ""),
        (4, {"<a>": True}, {}, "", 'add_special_tokens: "<a>"'),
        (0, {"<a>": True}, {}, "", 'add_special_tokens: "<a>"'),
        (0, {"a": False}, {}, "", ""),
        (4, {}, {}, "", ""),
    ],
)
def test_tokens_that_a_foreign_adapter_added(
    rows: int,
    words: dict[str, bool],
    settings: dict[str, str],
    refused: str,
    told: str,
    tmp_path: Path,
) -> None:
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    saved = {"base_model.model.model.embed_tokens.weight": (rows, 2)} if rows else {}
    (adapter / "adapter_model.safetensors").write_bytes(safetensors({**LORA, **saved}))
    (adapter / "tokenizer.json").write_text(tokenizer("a", "b", "c", "d", added=words))
    resolved = model.resolve(str(adapter))
    if refused:
        with pytest.raises(InputError) as caught:
            model.check_words(resolved, settings, "generate.llamafactory")
        assert refused in str(caught.value)
        assert f"was tuned with {rows} tokens, its base has 4" in str(caught.value)
    else:
        model.check_words(resolved, settings, "generate.llamafactory")
        remarks = list(model.remarks(resolved, settings, "generate.llamafactory"))
        assert bool(remarks) is bool(told)
        assert told in "".join(remarks)


@pytest.mark.parametrize(
    "said", [{"r": 0}, {"r": "x"}, {"r": None}, {"rank_pattern": [4]}, {"rank_pattern": {"q": 1.5}}]
)
def test_an_adapter_whose_rank_is_none_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    base = write_model(tmp_path / "base")
    made = write_adapter(tmp_path / "tuned", base, **said)
    with pytest.raises(InputError, match=r"in its adapter_config\.json is no rank"):
        model.resolve(str(made), str(base))


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "whole", seed=struct.pack("<f", 0.5))
    model.check_finite(whole, "")
    for number in (float("nan"), float("-inf")):
        broken = write_model(tmp_path / str(number), seed=struct.pack("<f", number))
        with pytest.raises(
            StageError, match=rf"model\.safetensors holds .*: its {EMBEDDING}"
        ) as told:
            model.check_finite(broken, "Train again")
        assert told.value.remedy == "Train again"
