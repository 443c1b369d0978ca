"""A ctypes binding of espeak-ng, for the corpus generator's own process only.

espeak-ng is GPL-3 software and an optional extra. Nothing in mohaq imports this module except `synthesis.py`, which
runs as a program of its own; the rest reads the files that it leaves. Library and voices come from the wheel
`espeakng-loader`. The interface is that of espeak-ng's `speak_lib.h`.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

_SYNCHRONOUS = 2
_PHONEME_EVENTS = 1
_DO_NOT_EXIT = 0x8000
_CHARS_UTF8 = 1
_EVENT_END = 0
_EVENT_PHONEME = 7
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Speech:
    """What espeak-ng said: `audio` (int16, mono, at `sample_rate`) and the sample at which each phoneme begins."""

    audio: np.ndarray
    sample_rate: int
    """Samples a second."""
    phonemes: tuple[tuple[int, str], ...]
    """First sample and name of each phoneme."""


class Espeak:
    """The espeak-ng library, initialised once a process."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self.sample_rate: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 500, str(espeakng_loader.get_data_path()).encode(), _PHONEME_EVENTS | _DO_NOT_EXIT
        )
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak_Initialize returned {self.sample_rate}")
        self._audio: list[np.ndarray] = []
        self._phonemes: list[tuple[int, str]] = []
        self._callback = _Callback(self._collect)  # kept: espeak-ng holds only a raw pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self._audio.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_PHONEME:
                self._phonemes.append((events[index].sample, events[index].id.string.decode()))
            index += 1
        return 0

    def say(self, text: str, voice: str, rate: int, pitch: int, pitch_range: int, seed: int) -> Speech:
        """Speak `text`. `rate` in words a minute (80–450), `pitch` and `pitch_range` 0–100 with 50 as the voice's own.

        Everything that the library remembers is set anew, the seed of its noise included, so that the result depends on
        the arguments alone.
        """
        self._audio.clear()
        self._phonemes.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        for name, value in (("rate", rate), ("volume", 100), ("pitch", pitch), ("range", pitch_range)):
            self._library.espeak_SetParameter(_PARAMETERS[name], value, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        data = text.encode()
        status = self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
        if status != 0 or not self._audio:
            raise RuntimeError(f"espeak-ng could not say {text!r} as {voice}: status {status}")
        return Speech(np.concatenate(self._audio), self.sample_rate, tuple(self._phonemes))
