"""A quantized model as two files in a folder, tensors and what is said of them, each of which holds the sha256 of the
other: what was changed is refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from quant.files.checkpoint import EXPORT_DESCRIPTION, check_format
from quant.files.tensor_files import TensorFile, Tensors, read_tensors, tensors_as_bytes
from simulators.inputs.bounded_files import read_text
from simulators.inputs.documents import MAX_BYTES
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import parse_json

TENSORS, DESCRIPTION = "model.safetensors", EXPORT_DESCRIPTION


class PairedFiles(NamedTuple):
    """What was read of both files, neither of which was changed."""

    path: Path
    """The description's file."""
    text: str
    """The description."""
    described: Mapping[str, Any]
    """The description, parsed."""
    file: TensorFile


def write_pair(folder: Path, tensors: Tensors, description: dict[str, Any]) -> None:
    """Write both files to a folder, each whole or not at all. Raises InputError for a folder that cannot be."""
    data = tensors_as_bytes(tensors, {"description_sha256": _digest_of(description)})
    description["tensors_sha256"] = hashlib.sha256(data).hexdigest()
    make_folder(folder)
    # Which tensors are meant is the description's to say, and that is replaced in one rename: until then the former
    # model loads, from then on this one, whenever this process is killed.
    new = _own_tensors(folder, description["tensors_sha256"])
    write_whole(new, data)
    write_whole(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())
    new.replace(folder / TENSORS)
    for former in folder.glob(f"model-{'[0-9a-f]' * 16}.safetensors"):
        former.unlink()


def read_pair(folder: Path, form: int) -> PairedFiles:
    """Both files of a folder, of a format's version. Raises InputError where one is missing, or was changed."""
    path = folder / DESCRIPTION
    try:
        text = read_text(path, MAX_BYTES)
        described = parse_json(text, str(path))
        check_format(described, form, str(path))
        file = read_tensors(_tensors_file(folder, str(described.get("tensors_sha256"))))
    except InputError as error:
        raise InputError(f"{folder}: not an exported model: {error}") from None
    if described.get("tensors_sha256") != file.digest:
        raise InputError(f"{file.path}: not the file that {DESCRIPTION} describes: its sha256 differs")
    if parse_json(file.described, str(file.path)) != {"description_sha256": _digest_of(described)}:
        raise InputError(f"{path}: it was changed since it was written: its sha256 differs")
    return PairedFiles(path, text, described, file)


def _own_tensors(folder: Path, digest: str) -> Path:
    """The place of the tensors with this sha256 while the description of others may still be there."""
    return folder / f"model-{digest[:16]}.safetensors"


def _tensors_file(folder: Path, digest: str) -> Path:
    """Where the tensors with this sha256 lie, if anywhere."""
    own = _own_tensors(folder, digest)
    return own if digest.isalnum() and own.is_file() else folder / TENSORS


def _digest_of(description: Mapping[str, Any]) -> str:
    """sha256 of a description without the digest of the tensors, which hold this one."""
    content = {key: value for key, value in description.items() if key != "tensors_sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
