"""What a network is evaluated on: utterances, each the inputs of one call or of several in a row."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from quant.graphs.data_settings import FILE, Chunks, DataSettings, read_settings
from quant.graphs.graph import Graph, GraphInput
from quant.speech.audio import read_audio
from simulators.inputs.arrays import ArrayFile
from simulators.inputs.bounded_files import open_file
from simulators.inputs.errors import InputError
from simulators.workloads.trace import Chunk

SUFFIXES = (".npz", ".npy", ".wav")
ALONE = ""
"""The name of the one input that a file of another kind holds, until it is known."""
LABELS = "labels"
"""The array of an .npz file that says what is right."""
MOST_BYTES = 1 << 28
"""Size of a file of data; in memory it may be three times that for a moment."""
PCM16 = 2.0**15


@dataclass(frozen=True)
class GivenUtterance:
    """The inputs of a network, those that are cut into chunks whole."""

    name: str
    inputs: Mapping[str, torch.Tensor]
    labels: torch.Tensor | None = None

    def digest(self) -> str:
        """sha256 of what it holds."""
        made = hashlib.sha256()
        labels = {} if self.labels is None else {LABELS: self.labels}
        for name, value in sorted((dict(self.inputs) | labels).items()):
            made.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            made.update(value.contiguous().numpy().tobytes())
        return made.hexdigest()


@dataclass(frozen=True)
class GraphData:
    """Utterances, and how they are given to a network."""

    utterances: tuple[GivenUtterance, ...]
    settings: DataSettings

    @property
    def digest(self) -> str:
        """Tells data apart."""
        parts = [self.settings.model_dump_json(), *(one.digest() for one in self.utterances)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def calibration(self) -> tuple[GivenUtterance, ...]:
        """Utterances that ranges are taken from."""
        count = min(self.settings.calibrate, len(self.utterances))
        return tuple(self.utterances[i * len(self.utterances) // count] for i in range(count))

    @property
    def chunk(self) -> Chunk | None:
        """How long the chunks are and how soon they come; None where inputs are given whole. Raises InputError where
        neither a sample rate nor a hop says so."""
        if not self.settings.chunks:
            return None
        first = next(iter(self.settings.chunks.values()))
        hop, rate = self.settings.hop_ms, self.settings.sample_rate
        if hop is None and rate is None:
            raise InputError("chunks: data.yaml must say hop_ms, or the sample_rate that it follows from")
        hop_ms = first.length * 1e3 / rate if hop is None and rate is not None else hop
        assert hop_ms is not None
        return Chunk(length_ms=hop_ms * (first.length + first.context) / first.length, hop_ms=hop_ms)

    def calls(self, utterance: GivenUtterance) -> Iterator[dict[str, torch.Tensor]]:
        """The inputs of each call of the network, in order, without state."""
        chunks = self.settings.chunks
        if not chunks:
            yield dict(utterance.inputs)
            return
        cut = {name: _pieces(utterance.inputs[name], how) for name, how in chunks.items()}
        whole = {name: value for name, value in utterance.inputs.items() if name not in chunks}
        for pieces in zip(*cut.values(), strict=True):
            yield whole | dict(zip(cut, pieces, strict=True))

    def named(self, graph: Graph) -> "GraphData":
        """These data for a graph: what stands alone in a file is its one input that nothing else gives, and recordings
        have as many dimensions as it."""
        named = self.named_by([entry.name for entry in graph.inputs])
        dims = {entry.name: len(entry.shape) for entry in graph.inputs if entry.shape is not None}
        turned = []
        for old, utterance in zip(self.utterances, named.utterances, strict=True):
            inputs = dict(utterance.inputs)
            for name in inputs:
                if old.name.endswith(".wav") and name in dims:
                    inputs[name] = inputs[name].reshape(*[1] * (dims[name] - 1), -1)
            turned.append(replace(utterance, inputs=inputs))
        return replace(named, utterances=tuple(turned))

    def named_by(self, inputs: Sequence[str]) -> "GraphData":
        """These data with what stands alone in a file named after the one of these inputs that nothing else gives.
        Raises InputError where there are others."""
        given = {*self.settings.inputs, *self.settings.state}
        alone = [name for name in inputs if name not in given]
        named = []
        for utterance in self.utterances:
            held = dict(utterance.inputs)
            if ALONE in held:
                if len(alone) != 1:
                    names = ", ".join(alone) or "none"
                    raise InputError(
                        f"{utterance.name}: it holds one input, and the network has {names}: expected .npz"
                    )
                held[alone[0]] = held.pop(ALONE)
            named.append(replace(utterance, inputs=held))
        return replace(self, utterances=tuple(named))

    @property
    def first_completed(self) -> GivenUtterance:
        """The first utterance, with what the settings give a module of torch, whose inputs say nothing of their
        sizes."""
        first = self.utterances[0]
        constants = {name: torch.tensor(value) for name, value in self.settings.inputs.items()}
        zeros = {name: torch.zeros(self.settings.zeros.get(name, [1])) for name in self.settings.state}
        return replace(first, inputs=constants | zeros | dict(first.inputs))

    def checked(self, graph: Graph) -> "GraphData":
        """These data with what settings give every call, if they fit a graph's inputs. Raises InputError for one that
        nothing gives, and for one that the graph has not."""
        known = {entry.name: entry for entry in graph.inputs}
        settings = self.settings
        for key, names in (
            ("inputs", settings.inputs), ("state", settings.state), ("chunks", settings.chunks),
            ("zeros", settings.zeros),
        ):  # fmt: skip
            for name in names:
                if name not in known:
                    rule = f"the network has no such input; its are {', '.join(known)}"
                    raise InputError(f"{FILE}: {key}: {name}: {rule}")
        wanted = {f"state: {name}": source for name, source in settings.state.items()} | {"output": settings.output}
        for key, output in wanted.items():
            if output is not None and output not in graph.outputs:
                rule = f"the network has no such output; its are {', '.join(graph.outputs)}"
                raise InputError(f"{FILE}: {key}: {output}: {rule}")
        completed = tuple(self._completed(utterance, known) for utterance in self.utterances)
        return GraphData(completed, settings)

    def _completed(self, utterance: GivenUtterance, known: Mapping[str, GraphInput]) -> GivenUtterance:
        inputs = dict(utterance.inputs)
        for name, value in self.settings.inputs.items():
            entry = known[name]
            inputs.setdefault(name, torch.full(_sizes(entry), value, dtype=entry.dtype))
        for name in self.settings.state:
            if name not in inputs:
                inputs[name] = torch.zeros(_zeros(self.settings, known[name]), dtype=known[name].dtype)
        if unknown := [name for name in inputs if name not in known]:
            raise InputError(f"{utterance.name}: {unknown[0]}: no input of the network; its are {', '.join(known)}")
        if missing := [name for name in known if name not in inputs]:
            raise InputError(
                f"{utterance.name}: nothing gives input {missing[0]}: an array of that name in the file, or in "
                f"data.yaml `inputs` for a value that never changes, or `state` for one that an output gives"
            )
        fitting = {name: _fitting(utterance.name, known[name], value) for name, value in inputs.items()}
        return GivenUtterance(utterance.name, fitting, utterance.labels)


def _zeros(settings: DataSettings, entry: GraphInput) -> tuple[int, ...]:
    if entry.name in settings.zeros:
        return tuple(settings.zeros[entry.name])
    return _sizes(entry)


def _sizes(entry: GraphInput) -> tuple[int, ...]:
    """Sizes of an input, one where the network leaves them open: a batch of one."""
    return tuple(size if isinstance(size, int) else 1 for size in entry.shape or ())


def _fitting(whose: str, entry: GraphInput, value: torch.Tensor) -> torch.Tensor:
    """A value as the graph takes it: of the input's type, and with as many dimensions."""
    if entry.shape is not None and len(entry.shape) != value.dim():
        raise InputError(f"{whose}: input {entry.name} has sizes {list(value.shape)}: expected {list(entry.shape)}")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise InputError(f"{whose}: input {entry.name} has values that are not finite")
    return value if entry.dtype is None else value.to(entry.dtype)


def _pieces(x: torch.Tensor, how: Chunks) -> Sequence[torch.Tensor]:
    """Chunks with their context, zeros before the first and behind the last."""
    axis = how.axis % x.dim()
    turned = x.movedim(axis, -1)
    missing = -turned.shape[-1] % how.length
    padded = functional.pad(turned, (how.context, missing))
    pieces = padded.unfold(-1, how.context + how.length, how.length)
    return [piece.movedim(-1, axis).contiguous() for piece in pieces.movedim(-2, 0)]


def read_data(folder: Path) -> GraphData:
    """The data in a folder: .npz files with an array for each input, .npy files and recordings (.wav, mono, 16-bit PCM)
    of the one input that nothing else gives; `data.yaml` says the rest. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"--data {folder}: no such folder")
    settings = read_settings(folder)
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no data: expected {', '.join(SUFFIXES)} files")
    try:
        return GraphData(tuple(_read(path, settings) for path in paths), settings)
    except InputError as error:
        raise InputError(f"{folder}: {str(error).removeprefix(f'{folder}/')}") from None


def _read(path: Path, settings: DataSettings) -> GivenUtterance:
    if path.suffix == ".npz":
        with ArrayFile(path, MOST_BYTES) as file:
            arrays = {name: _tensor(path, file.read(name)) for name in file.names}
        labels = arrays.pop(LABELS, None)
        return GivenUtterance(path.name, arrays, labels)
    if path.suffix == ".npy":
        return GivenUtterance(path.name, {ALONE: _tensor(path, _read_npy(path))})
    if settings.sample_rate is None:
        raise InputError(f"{path.name}: data.yaml must say its sample_rate")
    samples = torch.from_numpy(read_audio(path, settings.sample_rate).astype(np.float32) / PCM16)
    return GivenUtterance(path.name, {ALONE: samples[None]})


def _read_npy(path: Path) -> Any:
    with open_file(path) as file:  # never of a FIFO or a device, which NumPy would wait for
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name}: more than {MOST_BYTES:,} bytes")
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, OSError, EOFError, MemoryError) as error:
            raise InputError(f"{path.name}: not an array: {str(error).splitlines()[0]}") from None


def _tensor(path: Path, array: Any) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(array))
    except TypeError:
        raise InputError(f"{path.name}: {array.dtype}: expected numbers") from None
