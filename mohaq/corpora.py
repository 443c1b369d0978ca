"""The recogniser and the speech that a command's options name."""

from pathlib import Path
from typing import TYPE_CHECKING

from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from quant import Bits, Recogniser


def load_recogniser(
    model: str,
    corpus: str,
    root: Path | None,
    clipping: str = "mse",
    activation_clipping: str = "mse",
    per_channel: bool = False,
    skip_bad: bool = False,
    every: int = 1,
) -> "Recogniser":
    from quant import Scheme, load_model

    scheme = Scheme(clipping, activation_clipping, per_channel)
    return load_model(model, corpus_root(corpus, root), scheme, skip_bad, every)


def stored_kib(recogniser: "Recogniser", bits: "Bits") -> float | None:
    """Size of a candidate in KiB with its codebooks; None for a recogniser without them."""
    from quant.evaluation.codebook_recogniser import CodebookRecogniser

    return recogniser.stored_bits(bits) / 8192 if isinstance(recogniser, CodebookRecogniser) else None


def corpus_root(corpus: str, root: Path | None) -> Path | None:
    """None is the embedded corpus, made when first needed."""
    if corpus == "embedded" and root is None:
        return None
    if corpus in ("timit", "fsdd") and root is not None:
        from quant.speech.digits import FOLDER, is_digits

        if is_digits(root) != (corpus == "fsdd"):
            found = f"holds {FOLDER}/, as --corpus fsdd does" if is_digits(root) else f"has no folder {FOLDER}/"
            raise InputError(f"--corpus {corpus} --root {root}: it {found}")
        return root
    raise InputError(
        f"--corpus {corpus}"
        + (f" --root {root}" if root else "")
        + ": it must be `--corpus embedded`, or `--corpus timit` or `fsdd` with --root FOLDER"
    )
