"""Recognisers by name or file, ready to be evaluated."""

from pathlib import Path

from quant.arithmetic.clipping import Scheme
from quant.evaluation.codebook_recogniser import CodebookRecogniser
from quant.evaluation.recogniser import Recogniser
from quant.files.checkpoint import find_checkpoint, load_checkpoint
from quant.files.export import load_export


def load_model(
    name: str | Path,
    corpus_root: Path | None = None,
    scheme: Scheme | None = None,
    skip_bad: bool = False,
    every: int = 1,
) -> Recogniser:
    """A shipped recogniser by its name ("sru", "lstm", "gru", "ligru"), or one from a .safetensors file.

    `corpus_root` is a corpus in TIMIT's layout to evaluate on; without it, the embedded corpus. The other arguments are
    those of `Recogniser`. Raises InputError for an unknown name or a file that is not a checkpoint.
    """
    kind = CodebookRecogniser if scheme is not None and scheme.has_codebooks else Recogniser
    return kind(load_checkpoint(find_checkpoint(str(name))), corpus_root, scheme, skip_bad=skip_bad, every=every)


def load_exported_model(
    folder: Path, corpus_root: Path | None = None, skip_bad: bool = False, every: int = 1
) -> tuple[Recogniser, dict[str, tuple[int, int]]]:
    """The recogniser that was exported to a folder, and its candidate: the only one that it can evaluate. The other
    arguments are those of `Recogniser`. Raises InputError for a folder that `quant.files.export` did not write."""
    checkpoint, weights, bits = load_export(folder)
    return Recogniser(checkpoint, corpus_root, weights=weights, skip_bad=skip_bad, every=every), bits
