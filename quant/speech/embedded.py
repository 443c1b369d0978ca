"""The embedded corpus on disk: made once, on first use, by the generator in a process of its own.

It lies under the cache folder in a directory named after seed, size and the generator's source code, so an edit of
the generator never serves an old corpus under a new recipe.
"""

import ast
import hashlib
import importlib.util
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from quant.speech.audio import MOST_BYTES
from quant.speech.cache_folder import cache_dir
from quant.speech.timit import split_speakers
from quant.speech.utterances import SPLITS
from simulators.inputs.bounded_files import read_bytes
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import read_json
from simulators.inputs.locks import FolderLock

SIZES: dict[str, tuple[str, ...]] = {
    "full": (),
    # Enough for a test's model to learn something in seconds.
    "small": tuple(
        f"--{what}-{split}={value}"
        for split, speakers, minutes in (("train", 48, 8), ("dev", 16, 1), ("test", 16, 1))
        for what, value in (("speakers", speakers), ("minutes", minutes))
    ),
}
"""The generator's arguments by name of size: full is 128 minutes of train, 9 of dev, 9 of test; small is 8, 1 and 1."""

_SOURCES = ("synthesis", "espeak", "voices", "acoustics", "text", "phones")


def embedded_corpus(splits: Iterable[str] = SPLITS, seed: int = 0, size: str = "full", progress: bool = True) -> Path:
    """The root of the embedded corpus, with at least these splits in it; generates what is missing.

    All of it takes about 20 s on two cores, dev alone 3 s. Needs the extra `corpus` (espeak-ng) only where something is
    missing: InputError tells so.
    """
    splits = tuple(splits)
    if unknown := set(splits) - set(SPLITS):
        raise InputError(f"split: {min(unknown)!r}: it must be one of {', '.join(SPLITS)}")
    if size not in SIZES:
        raise InputError(f"size: value {size!r}: must be one of {', '.join(SIZES)}")
    root = cache_dir() / "corpora" / f"embedded-{size}-seed{seed}-{recipe()[:12]}"
    if all(_is_whole(root, split) for split in splits):
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(root, wait=True, otherwise="set MOHAQ_CACHE to a folder on another one")
    except OSError as error:
        raise InputError(
            f"{root}: cannot be written ({error.strerror}); set MOHAQ_CACHE to a folder that can"
        ) from None
    with lock:  # two searches may start at once
        missing = [split for split in splits if not _is_whole(root, split)]
        for marker in (root / f"{split}.json" for split in missing if os.path.lexists(root / f"{split}.json")):
            logging.getLogger(__name__).warning("mohaq: damaged recordings are made again: %s differs", marker)
            marker.unlink()
        if missing:
            _generate(root, missing, seed, size, progress, lock.descriptor)
    return root


class _Marker(BaseModel):
    """What the generator leaves when a split is done: what is looked at of it."""

    sha256: str


def _is_whole(root: Path, split: str) -> bool:
    """Whether a split is there as the generator left it: the digest of its files is the one that it wrote down."""
    marker = root / f"{split}.json"
    if not marker.exists():
        return False
    try:
        written = read_json(marker, _Marker).sha256
        folders = root.glob(f"{'TRAIN' if split == 'train' else 'TEST'}/DR*/*")
        speakers = {*split_speakers(root)[split]}
        return digest_of([folder for folder in folders if folder.name in speakers], root) == written
    except (InputError, OSError, KeyError):
        return False


def digest_of(folders: Sequence[Path], root: Path) -> str:
    """SHA-256 over the names (relative to `root`) and contents of all files in the folders, as the generator has
    it."""
    digest = hashlib.sha256()
    for file in sorted(f for folder in folders for f in folder.iterdir()):
        data = read_bytes(file, MOST_BYTES)
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def espeak_available() -> bool:
    """Whether the extra `corpus` is installed; asked without importing it."""
    return importlib.util.find_spec("espeakng_loader") is not None


@cache
def recipe() -> str:
    """SHA-256 of the generator's source files, comments, docstrings and layout left out."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_bytes())
        digest.update(ast.dump(_WithoutText().visit(tree)).encode())
    return digest.hexdigest()


class _WithoutText(ast.NodeTransformer):
    """Drops the statements that are nothing but a string."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


def _generate(root: Path, splits: list[str], seed: int, size: str, progress: bool, lock: int) -> None:
    if not espeak_available():
        raise InputError(
            "the embedded corpus is not there yet; to make it, espeakng-loader is needed: pip install 'mohaq[corpus]'"
        )
    command = [sys.executable, "-m", "quant.speech.synthesis", f"--out={root}", f"--seed={seed}", *SIZES[size]]
    command += [f"--splits={','.join(splits)}"] + ([] if progress else ["--quiet"])
    # The generator inherits the lock: should this process be killed, the next one still waits for it. It and its
    # processes have a group of their own, which ends as a whole.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=None if progress else subprocess.PIPE, text=True, pass_fds=(lock,),
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise RuntimeError(f"the corpus generator failed ({' '.join(command)}): {stderr or stdout}")
