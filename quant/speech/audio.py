"""Read the two kinds of `.WAV` file that carry TIMIT: NIST SPHERE, as LDC delivers it, and RIFF, as many keep it.

Which one it is, the content tells; the name does not. SPHERE's header is plain text: `NIST_1A`, the header's size, then
`name -type value` lines up to `end_head` (NIST's SPHERE documentation; only uncompressed 16-bit PCM is read).
"""

import io
import re
import struct
import wave
from pathlib import Path

import numpy as np

from simulators.inputs.bounded_files import read_bytes
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

SAMPLE_RATE = 16_000
MOST_BYTES = 64 << 20
"""Size of a recording: half an hour."""
WHOLE = re.compile("[0-9]{1,9}")
"""A whole number in a header or a label: `str.isdigit` takes `²` for one."""


def read_audio(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """The samples of a mono 16-bit file as int16, 16 kHz unless said. InputError names the file and what is wrong."""
    data = read_bytes(path, MOST_BYTES)
    if not data:
        raise InputError(f"{path}: empty file, expected NIST SPHERE or RIFF audio")
    if data.startswith(b"NIST_1A"):
        samples, rate = _read_sphere(path, data)
    elif data.startswith(b"RIFF"):
        samples, rate = _read_riff(path, data)
    else:
        raise InputError(f"{path}: begins with {data[:4]!r}, expected NIST SPHERE ('NIST_1A') or RIFF audio")
    if rate != sample_rate:
        raise InputError(f"{path}: sample rate {rate} Hz, must be {sample_rate} Hz")
    if not len(samples):
        raise InputError(f"{path}: holds no samples")
    return samples


def _read_sphere(path: Path, data: bytes) -> tuple[np.ndarray, int]:
    lines = data[:16].split(b"\n")
    if len(lines) < 2 or not WHOLE.fullmatch(lines[1].strip().decode("latin-1")):
        raise InputError(f"{path}:2: SPHERE header size {lines[1:2]}: must be a number")
    size = int(lines[1])
    if size < 16 or size > len(data):
        raise InputError(f"{path}:2: SPHERE header size {size}: must lie between 16 and the file's {len(data)} bytes")
    fields: dict[str, str] = {}
    for number, line in enumerate(data[16:size].decode("latin-1").splitlines(), start=3):
        line = line.strip()
        if line == "end_head":
            break
        if not line or line.startswith(";"):
            continue
        parts = line.split(None, 2)
        if len(parts) != 3 or not parts[1].startswith("-"):
            raise InputError(f"{path}:{number}: SPHERE header line {shown(line)}: must read 'name -type value'")
        fields[parts[0]] = parts[2]
    else:
        raise InputError(f"{path}: SPHERE header has no end_head")
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm":
        hint = " (convert it with sph2pipe or sox)" if "shorten" in coding or "wavpack" in coding else ""
        raise InputError(f"{path}: sample_coding {shown(coding)}: only 'pcm' is read{hint}")

    def integer(name: str, default: int | None = None) -> int:
        value = fields.get(name, "" if default is None else str(default))
        if not WHOLE.fullmatch(value):
            raise InputError(f"{path}: SPHERE field {name} is {shown(value)}, must be a number")
        return int(value)

    if integer("channel_count", 1) != 1 or integer("sample_n_bytes", 2) != 2:
        raise InputError(f"{path}: must be mono with 2 bytes a sample")
    order = fields.get("sample_byte_format", "01")
    if order not in ("01", "10"):
        raise InputError(f"{path}: sample_byte_format {shown(order)}: must be 01 (little-endian) or 10 (big-endian)")
    body = data[size:]
    count = integer("sample_count", len(body) // 2)
    if len(body) < 2 * count:
        raise InputError(f"{path}: truncated: the header promises {count} samples, the file holds {len(body) // 2}")
    samples = np.frombuffer(body, "<i2" if order == "01" else ">i2", count).astype(np.int16)
    return samples, integer("sample_rate")


def _read_riff(path: Path, data: bytes) -> tuple[np.ndarray, int]:
    try:
        with wave.open(io.BytesIO(data)) as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise InputError(
                    f"{path}: {file.getnchannels()} channels of {8 * file.getsampwidth()} bits, must be mono 16-bit PCM"
                )
            promised, frames, rate = file.getnframes(), file.readframes(file.getnframes()), file.getframerate()
    except InputError:
        raise
    # `wave` raises RuntimeError for chunks that lead out of the file, and what `struct` raises.
    except (wave.Error, EOFError, RuntimeError, ValueError, struct.error) as error:
        raise InputError(f"{path}: broken RIFF file: {str(error) or 'it ends too early'}") from None
    if len(frames) != 2 * promised:
        raise InputError(f"{path}: truncated: the header promises {promised} samples, there are {len(frames) // 2}")
    return np.frombuffer(frames, "<i2").astype(np.int16), rate
