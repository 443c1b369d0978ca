"""A corpus by its folder: TIMIT's layout, or the Free Spoken Digit Dataset."""

from pathlib import Path

from quant.speech.digits import is_digits, load_digits
from quant.speech.timit import load_timit
from quant.speech.utterances import SPLITS, Corpus
from simulators.inputs.errors import InputError


def load_corpus(root: Path | str, split: str, skip_bad: bool = False) -> Corpus:
    """Read a split: "train", "dev" or "test". Anything missing, broken or mislabelled is an InputError naming it; with
    `skip_bad`, an utterance that cannot be used is left out and counted."""
    root = Path(root)
    if split not in SPLITS:
        raise InputError(f"split: value {split!r}: must be one of {', '.join(SPLITS)}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a corpus in TIMIT's layout")
    return load_digits(root, split, skip_bad) if is_digits(root) else load_timit(root, split, skip_bad)
