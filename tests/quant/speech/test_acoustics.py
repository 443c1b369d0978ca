import numpy as np
import pytest

from quant.speech import acoustics


def tone(frequency_hz: float, rate: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(rate * seconds)) / rate)


def peak_hz(audio: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.argmax(spectrum) * rate / len(audio))


def test_resampling_keeps_frequency_level_and_position() -> None:
    audio = 1000.0 * tone(1000.0, 22_050, 1.0)
    audio[: len(audio) // 2] = 0.0  # begins at half a second
    resampled, ratio = acoustics.resample(audio, 22_050, 16_000)
    assert ratio == pytest.approx(16_000 / 22_050, rel=1e-4)
    assert len(resampled) == pytest.approx(16_000, abs=2)
    onset = np.flatnonzero(np.abs(resampled) > 500)[0]
    assert onset == pytest.approx(8_000, abs=16)  # a millisecond
    assert peak_hz(resampled[8_000:], 16_000) == pytest.approx(1000, abs=3)
    assert np.abs(resampled[9_000:15_000]).max() == pytest.approx(1000, rel=0.01)


def test_a_wrong_ratio_shifts_the_formants_and_the_labels_with_them() -> None:
    audio = tone(1000.0, 22_050, 1.0)
    resampled, ratio = acoustics.resample(audio, 22_050 * 1.1, 16_000)
    assert peak_hz(resampled, 16_000) == pytest.approx(1100, abs=3)
    assert ratio == pytest.approx(16_000 / 22_050 / 1.1, rel=1e-4)


def test_the_room_begins_with_the_direct_path_and_decays_by_60_db() -> None:
    room = acoustics.room_response(0.3, 6.0, np.random.default_rng(0))
    assert room[0] == 1.0
    assert np.sum(room[1:] ** 2) == pytest.approx(10**-0.6)
    early, late = np.mean(room[80:480] ** 2), np.mean(room[-400:] ** 2)
    assert 10 * np.log10(early / late) == pytest.approx(60 * (4600 - 280) / 4800, abs=1.5)


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_has_its_colour_and_unit_power(colour: float) -> None:
    noise = acoustics.coloured_noise(80_000, colour, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / 16_000)
    low, high = power[(hz > 400) & (hz < 600)].mean(), power[(hz > 3_200) & (hz < 4_800)].mean()
    assert np.mean(noise**2) == pytest.approx(1.0)
    assert 10 * np.log10(low / high) == pytest.approx(colour * 10 * np.log10(8), abs=1.0)


@pytest.mark.parametrize("with_babble", [False, True])
def test_recording_keeps_length_sets_the_level_and_lands_in_the_snr_range(with_babble: bool) -> None:
    rng = np.random.default_rng(2)
    speech = rng.standard_normal(16_000)
    speech[8_000:] = 0.0
    pool = [rng.standard_normal(5_000) for _ in range(4)]
    for seed in range(8):
        place = acoustics.Surroundings.random(np.random.default_rng(seed), babble=with_babble)
        recorded = acoustics.record(speech, place, pool, np.random.default_rng(seed))
        assert recorded.dtype == np.int16
        assert len(recorded) == 16_000
        signal, noise = np.mean(recorded[:8_000].astype(float) ** 2), np.mean(recorded[14_000:].astype(float) ** 2)
        # The level is set over the utterance, half of which is silent here: 3 dB more in the other half.
        assert 10 * np.log10(signal / 2) - 20 * np.log10(32_767) == pytest.approx(place.level_dbfs, abs=1.0)
        snr_db = 10 * np.log10((signal - noise) / 2 / noise)
        assert acoustics.SNR_DB[0] - 3 < snr_db < acoustics.SNR_DB[1] + 3


def test_fast_length_has_small_factors_only() -> None:
    assert [acoustics.fast_length(n) for n in (1, 7, 1001, 65_537)] == [1, 8, 1024, 65_610]
