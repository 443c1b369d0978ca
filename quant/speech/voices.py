"""Who speaks in the embedded corpus: accents, voices, and how they are dealt out to train, dev and test.

An accent plays the part of TIMIT's dialect region. A voice is one of espeak-ng's variants, which differ in formants and
glottal source. No voice occurs in two splits, though a few have a near relative in another (`benjamin` in dev and
`adam` in train, `miguel` in dev and `michel` in test). On top of these every speaker has a pitch, a pitch range, a
speaking rate and a vocal tract length of his or her own.
"""

from dataclasses import dataclass

import numpy as np

from quant.speech.acoustics import FORMANT_SHIFT, Surroundings, draw

SPLITS = ("train", "dev", "test")

ACCENTS = (
    "en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
)  # fmt: skip
"""Dialect regions DR1 … DR8."""

# Left out: whispers, robots, the bare Klatt synthesiser's voices, and effects such as `Demonic` and `croak`.
VOICES: dict[str, tuple[str, ...]] = {
    "dev": ("m4", "f2", "Andy", "Annie", "benjamin", "pablo", "zac", "belinda", "miguel"),
    "test": ("m6", "f4", "Alex", "Andrea", "robert", "rob", "travis", "shelby", "michel"),
    "train": (
        "m1", "f1", "m2", "f3", "m3", "f5", "m5", "Alicia", "m7", "aunty", "m8", "grandma", "adam", "linda", "Mike",
        "mike2", "boris", "david", "ed", "edward", "edward2", "Gene", "Gene2", "grandpa", "Hugo", "Denis", "Lee",
        "Mario", "Michael", "Nguyen", "Reed", "Storm", "antonio", "ian", "john", "kaukovalta", "marcelo", "max",
        "norbert", "paul", "pedro", "quincy", "sandro", "victor", "anika", "steph", "Diogo", "Henrique",
    ),
}  # fmt: skip

_FEMALE = frozenset(
    {"f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "anika", "aunty", "belinda", "grandma", "linda",
     "shelby", "steph"}
)  # fmt: skip

RATE_WORDS_PER_MINUTE = (145.0, 200.0)
PITCH = (35.0, 65.0)
PITCH_RANGE = (30.0, 70.0)


@dataclass(frozen=True)
class Speaker:
    """One speaker of the corpus."""

    id: str
    """Four letters and a digit like TIMIT's: sex, three letters, 0."""
    region: str
    accent: str
    voice: str
    rate: int
    """Words a minute, as espeak-ng takes them."""
    pitch: int
    """Pitch, 0 to 100, as espeak-ng takes it."""
    pitch_range: int
    """Range of the pitch, 0 to 100, as espeak-ng takes it."""
    formant_shift: float
    """Factor of the formants' frequencies."""
    surroundings: Surroundings
    seed: tuple[int, ...]
    """What the speaker's sentences and noises are drawn from."""


def speaker_id(split: str, index: int, voice: str) -> str:
    """A name unique over the splits; the letters are a bijective scrambling of the speaker's number."""
    number = (SPLITS.index(split) * 5_000 + index) * 7_919 % 26**3
    letters = "".join(chr(ord("A") + number // 26**place % 26) for place in (2, 1, 0))
    return f"{'F' if voice in _FEMALE else 'M'}{letters}0"


def cast(split: str, count: int, seed: int) -> list[Speaker]:
    """The first `count` speakers of a split. Accents take turns; voices shift against them, so that all pairs occur."""
    voices = VOICES[split]
    speakers = []
    for index in range(count):
        turn, accent = divmod(index, len(ACCENTS))
        voice = voices[(turn + accent) % len(voices)]
        key = (seed, SPLITS.index(split), index)
        rng = np.random.default_rng(key)
        speakers.append(
            Speaker(
                id=speaker_id(split, index, voice),
                region=f"DR{accent + 1}",
                accent=ACCENTS[accent],
                voice=f"{ACCENTS[accent]}+{voice}",
                rate=round(draw(rng, RATE_WORDS_PER_MINUTE)),
                pitch=round(draw(rng, PITCH)),
                pitch_range=round(draw(rng, PITCH_RANGE)),
                formant_shift=draw(rng, FORMANT_SHIFT),
                surroundings=Surroundings.random(rng, babble=(turn + accent) % 2 == 0),
                seed=(*key, 1),
            )
        )
    return speakers
