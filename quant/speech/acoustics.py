"""What happens to clean speech on its way to the microphone: vocal tract length, room, channel, noise, babble.

The constants below set how hard the embedded corpus is. They were chosen so that the full-size float model lands
between 10 and 25 % phone error rate on dev and test (it reached 17.7 and 15.0 %): a task at 1 % would show nothing
about quantization. What matters most is the signal-to-noise ratio: a small model went from 17 % at 15–35 dB to 47 % at
0–15 dB.

All filtering is done on spectra of whole utterances, so each function is a few lines and a second of speech costs about
a millisecond.
"""

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000

SNR_DB = (11.0, 28.0)
"""Signal-to-noise ratio of an utterance, uniform in decibels, over everything added (noise and babble together)."""
BABBLE_SPEAKERS = (3, 6)
"""Voices in a babble mix, both ends included."""
BABBLE_SHARE = (0.3, 0.8)
"""Share of the noise power that is babble, in speakers who have any (every second one)."""
NOISE_COLOUR = (0.0, 2.0)
"""Exponent c of a noise with power 1/f^c: 0 is white, 1 pink, 2 brown."""
REVERBERATION_S = (0.1, 0.35)
"""Time in which the room's impulse response decays by 60 dB."""
DIRECT_TO_REVERBERANT_DB = (3.0, 14.0)
CHANNEL_TILT_DB = (-8.0, 8.0)
"""Rise of the channel's response from 100 Hz to 8 kHz."""
CHANNEL_RIPPLE_DB = 4.0
HIGH_PASS_HZ = (40.0, 180.0)
LOW_PASS_HZ = (5_500.0, 7_800.0)
FORMANT_SHIFT = (0.90, 1.12)
"""Factor on all frequencies, from resampling by a slightly wrong ratio: another length of the vocal tract."""
LEVEL_DBFS = (-32.0, -20.0)
"""Level of the speech in the file, as RMS."""


def draw(rng: np.random.Generator, interval: tuple[float, float]) -> float:
    """A uniform draw from an interval."""
    return float(rng.uniform(*interval))


def fast_length(n: int) -> int:
    """The smallest length ≥ n with no prime factor above 5, for which FFTs are fast."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def resample(audio: np.ndarray, source_rate: float, target_rate: float) -> tuple[np.ndarray, float]:
    """Band-limited resampling of a whole utterance through its spectrum.

    Returns the new audio (float64) and the exact ratio of output to input positions, which differs from
    target/source by rounding (less than one part in 10⁴): labels must be moved by this one.
    """
    n_in = fast_length(len(audio) + 256)  # zeros at the end: the transform is circular
    n_out = round(n_in * target_rate / source_rate)
    spectrum = np.fft.rfft(audio.astype(np.float64), n_in)
    bins = min(len(spectrum), n_out // 2 + 1)
    resampled = np.fft.irfft(spectrum[:bins], n_out) * (n_out / n_in)
    ratio = n_out / n_in
    return resampled[: int(np.ceil(len(audio) * ratio))], ratio


@dataclass(frozen=True)
class Surroundings:
    """Where a speaker was recorded: one room, one channel, one kind of noise."""

    room: np.ndarray
    """Impulse response; begins with the direct path, so labels keep their place."""
    tilt_db: float
    """Gain in dB of the channel at 8 kHz over that at 100 Hz."""
    ripple: np.ndarray
    """Amplitudes in dB and phases of three cosines over log frequency, shape [3, 2]."""
    high_pass_hz: float
    low_pass_hz: float
    noise_colour: float
    """Exponent of the noise's spectrum over frequency."""
    babble: bool
    level_dbfs: float
    """Root mean square of a recording in dB of full scale."""

    @staticmethod
    def random(rng: np.random.Generator, babble: bool) -> "Surroundings":
        """Draw a place to record a speaker in."""
        return Surroundings(
            room=room_response(draw(rng, REVERBERATION_S), draw(rng, DIRECT_TO_REVERBERANT_DB), rng),
            tilt_db=draw(rng, CHANNEL_TILT_DB),
            ripple=rng.uniform([-CHANNEL_RIPPLE_DB / 2, 0.0], [CHANNEL_RIPPLE_DB / 2, 2 * np.pi], size=(3, 2)),
            high_pass_hz=draw(rng, HIGH_PASS_HZ),
            low_pass_hz=draw(rng, LOW_PASS_HZ),
            noise_colour=draw(rng, NOISE_COLOUR),
            babble=babble,
            level_dbfs=draw(rng, LEVEL_DBFS),
        )

    def channel(self, frequencies_hz: np.ndarray) -> np.ndarray:
        """The channel's amplitude response (zero phase) at the given frequencies."""
        f = np.maximum(frequencies_hz, 20.0)
        octaves = np.log2(f / 100.0)
        gain_db = self.tilt_db * octaves / np.log2(80.0)
        for cycle, (amplitude_db, phase) in enumerate(self.ripple, start=1):
            gain_db = gain_db + amplitude_db * np.cos(octaves * cycle * 0.6 + phase)
        edges = 1.0 / np.sqrt((1.0 + (self.high_pass_hz / f) ** 4) * (1.0 + (f / self.low_pass_hz) ** 16))
        return 10.0 ** (gain_db / 20.0) * edges


def room_response(decay_s: float, direct_to_reverberant_db: float, rng: np.random.Generator) -> np.ndarray:
    """An impulse response: the direct path, then noise that falls by 60 dB in `decay_s` from 3 ms on."""
    n = int(decay_s * SAMPLE_RATE)
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    tail[: int(0.003 * SAMPLE_RATE)] = 0.0
    tail *= 10.0 ** (-direct_to_reverberant_db / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def coloured_noise(n: int, colour: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power and length n whose power falls as 1/f^colour above 50 Hz."""
    length = fast_length(n)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequencies = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 50.0)
    noise = np.fft.irfft(spectrum * frequencies ** (-colour / 2), length)[:n]
    return noise / np.sqrt(np.mean(noise**2))


def babble(n: int, pool: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Several other voices at once: unit power, length n; each begins anywhere and goes round."""
    mix = np.zeros(n)
    for _ in range(int(rng.integers(BABBLE_SPEAKERS[0], BABBLE_SPEAKERS[1] + 1))):
        voice = pool[int(rng.integers(len(pool)))]
        start = int(rng.integers(len(voice)))
        mix += np.resize(np.roll(voice, -start), n)
    return mix / np.sqrt(np.mean(mix**2))


def record(
    speech: np.ndarray, surroundings: Surroundings, pool: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Clean speech (any scale, 16 kHz) as int16 samples recorded in these surroundings; the same length and timing."""
    n = len(speech)
    length = fast_length(n + len(surroundings.room))
    response = np.fft.rfft(surroundings.room, length)
    channel = surroundings.channel(np.fft.rfftfreq(length, 1 / SAMPLE_RATE))
    wet = np.fft.irfft(np.fft.rfft(speech, length) * response * channel, length)[:n]

    noise = coloured_noise(n, surroundings.noise_colour, rng)
    if surroundings.babble:
        share = draw(rng, BABBLE_SHARE)
        noise = np.sqrt(1.0 - share) * noise + np.sqrt(share) * babble(n, pool, rng)
        noise /= np.sqrt(np.mean(noise**2))
    power = np.mean(wet**2)
    mixed = wet + noise * np.sqrt(power) * 10.0 ** (-draw(rng, SNR_DB) / 20.0)

    mixed *= 10.0 ** (surroundings.level_dbfs / 20.0) / np.sqrt(power) * 32_767.0
    return np.clip(np.round(mixed), -32_768, 32_767).astype(np.int16)
