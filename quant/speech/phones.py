"""Phones: TIMIT's 61 labels, their folding to 48 and 39, the silence convention, and espeak-ng's names for them.

The foldings are those of Lee & Hon, "Speaker-independent phone recognition using hidden Markov models" (IEEE Trans.
ASSP 37(11), 1989), in the form that Kaldi's TIMIT recipe uses (egs/timit/s5/conf/phones.60-48-39.map): the glottal
stop `q` is deleted; closures, pauses and utterance ends become `sil`, which stays one of the 39 scored phones.
"""

from collections.abc import Iterable, Sequence

SILENCE = "sil"

# 61 TIMIT labels → 48 classes → 39 classes, where the three differ. None: deleted before training and scoring.
_FOLDING: dict[str, tuple[str, str] | None] = {
    "aa": ("aa", "aa"), "ae": ("ae", "ae"), "ah": ("ah", "ah"), "ao": ("ao", "aa"), "aw": ("aw", "aw"),
    "ax": ("ax", "ah"), "ax-h": ("ax", "ah"), "axr": ("er", "er"), "ay": ("ay", "ay"), "b": ("b", "b"),
    "bcl": ("vcl", "sil"), "ch": ("ch", "ch"), "d": ("d", "d"), "dcl": ("vcl", "sil"), "dh": ("dh", "dh"),
    "dx": ("dx", "dx"), "eh": ("eh", "eh"), "el": ("el", "l"), "em": ("m", "m"), "en": ("en", "n"),
    "eng": ("ng", "ng"), "epi": ("epi", "sil"), "er": ("er", "er"), "ey": ("ey", "ey"), "f": ("f", "f"),
    "g": ("g", "g"), "gcl": ("vcl", "sil"), "h#": ("sil", "sil"), "hh": ("hh", "hh"), "hv": ("hh", "hh"),
    "ih": ("ih", "ih"), "ix": ("ix", "ih"), "iy": ("iy", "iy"), "jh": ("jh", "jh"), "k": ("k", "k"),
    "kcl": ("cl", "sil"), "l": ("l", "l"), "m": ("m", "m"), "n": ("n", "n"), "ng": ("ng", "ng"),
    "nx": ("n", "n"), "ow": ("ow", "ow"), "oy": ("oy", "oy"), "p": ("p", "p"), "pau": ("sil", "sil"),
    "pcl": ("cl", "sil"), "q": None, "r": ("r", "r"), "s": ("s", "s"), "sh": ("sh", "sh"), "t": ("t", "t"),
    "tcl": ("cl", "sil"), "th": ("th", "th"), "uh": ("uh", "uh"), "uw": ("uw", "uw"), "ux": ("uw", "uw"),
    "v": ("v", "v"), "w": ("w", "w"), "y": ("y", "y"), "z": ("z", "z"), "zh": ("zh", "sh"),
}  # fmt: skip

TIMIT_PHONES: tuple[str, ...] = tuple(_FOLDING)
FOLD_48: dict[str, str | None] = {label: folded and folded[0] for label, folded in _FOLDING.items()}
FOLD_39: dict[str, str | None] = {label: folded and folded[1] for label, folded in _FOLDING.items()}

PHONES_48: tuple[str, ...] = tuple(sorted({p for p in FOLD_48.values() if p}))
PHONES_39: tuple[str, ...] = tuple(sorted({p for p in FOLD_39.values() if p}))
INDEX_39: dict[str, int] = {phone: index for index, phone in enumerate(PHONES_39)}
SILENCE_INDEX = INDEX_39[SILENCE]


def fold(labels: Iterable[str]) -> list[str]:
    """TIMIT labels as a scored sequence: folded to 39, `q` dropped, each run of silences merged to one."""
    scored: list[str] = []
    for label in labels:
        phone = FOLD_39[label]
        if phone is None or (phone == SILENCE and scored and scored[-1] == SILENCE):
            continue
        scored.append(phone)
    return scored


def merge_silence(indices: Sequence[int], silence: int = SILENCE_INDEX) -> list[int]:
    """A sequence of indices with each run of silences merged to one."""
    return [p for i, p in enumerate(indices) if p != silence or i == 0 or indices[i - 1] != silence]


# --- espeak-ng's phoneme mnemonics -------------------------------------------------------------------------------

RHOTIC_VOWELS = frozenset({"en-us", "en-us-nyc"})
"""Accents whose r-coloured vowels (A@, O@, e@ …) contain the r. Scotland's are followed by an r of their own."""

STOP_CLOSURE = {
    "p": "pcl", "t": "tcl", "k": "kcl", "b": "bcl", "d": "dcl", "g": "gcl", "ch": "tcl", "jh": "dcl",
}  # fmt: skip
"""The closure label that TIMIT's convention puts before a release."""

# One mnemonic to the TIMIT labels that share its interval. A mnemonic that is not here is an error, not a guess.
_COMMON: dict[str, tuple[str, ...]] = {
    # consonants
    "p": ("p",), "b": ("b",), "t": ("t",), "t2": ("t",), "t[": ("t",), "d": ("d",), "d[": ("d",), "d#": ("d",),
    "k": ("k",), "g": ("g",), "tS": ("ch",), "dZ": ("jh",), "t#": ("dx",), "?": ("q",),
    "f": ("f",), "v": ("v",), "T": ("th",), "D": ("dh",), "s": ("s",), "z": ("z",), "z#": ("z",), "z/2": ("z",),
    "S": ("sh",), "Z": ("zh",), "h": ("hh",), "m": ("m",), "n": ("n",), "n-": ("en",), "m-": ("em",), "N": ("ng",),
    "l": ("l",), "l/": ("l",), "l/2": ("l",), "@L": ("el",), "r": ("r",), "r/": ("r",), "r-": ("r",),
    "w": ("w",), "w#": ("w",), "w2": ("w",), "j": ("y",), ";": ("y",),
    # vowels
    "a": ("ae",), "a/": ("ae",), "A:": ("aa",), "A#": ("aa",), "0": ("aa",), "0#": ("aa",), "02": ("aa",),
    "O": ("ao",), "O2": ("ao",), "O:": ("ao",), "o:": ("ow",), "E": ("eh",), "E#": ("eh",), "E2": ("eh",),
    "e": ("eh",), "e:": ("ey",), "e#": ("ix",), "I": ("ih",), "I#": ("ix",), "I2": ("ix",), "I2#": ("ix",),
    "i": ("iy",), "i:": ("iy",), "U": ("uh",), "u": ("uw",), "u:": ("uw",), "V": ("ah",),
    "@": ("ax",), "@2": ("ax",), "@5": ("ax",), "@-": ("ax-h",), "a#": ("ax",), "@#": ("ax",), "a#2": ("ax",),
    "aI": ("ay",), "aI2": ("ay",), "eI": ("ey",), "OI": ("oy",), "aU": ("aw",), "oU": ("ow",), "oU#": ("ow",),
    "3:": ("er",), "IR": ("er",), "VR": ("er",), "i@": ("iy", "ax"),
    # pauses
    "_": ("pau",), "_:": ("pau",), "_!": ("pau",), "_|": ("pau",), "_::": ("pau",),
}  # fmt: skip

# With the r inside the vowel (en-us), and without it (the British and Caribbean accents, and Scotland, where a
# separate r follows).
_RHOTIC: dict[str, tuple[str, ...]] = {
    "aa": ("ae",), "3": ("axr",), "A@": ("aa", "r"), "O@": ("ao", "r"), "o@": ("ao", "r"), "e@": ("eh", "r"),
    "i@3": ("ih", "r"), "U@": ("uh", "r"), "aI3": ("ay", "axr"), "aI@": ("ay", "ax"), "aU@": ("aw", "axr"),
}  # fmt: skip
_NON_RHOTIC: dict[str, tuple[str, ...]] = {
    "aa": ("aa",), "3": ("ax",), "A@": ("aa",), "O@": ("ao",), "o@": ("ao",), "e@": ("eh", "ax"),
    "i@3": ("ih", "ax"), "U@": ("uh", "ax"), "aI3": ("ay", "ax"), "aI@": ("ay", "ax"), "aU@": ("aw", "ax"),
}  # fmt: skip
# Scotland: the r that follows takes the place of the schwa.
_SCOTLAND: dict[str, tuple[str, ...]] = {
    **_NON_RHOTIC, "3": ("axr",), "e@": ("eh",), "i@3": ("ih",), "U@": ("uh",), "aa": ("ae",), "aI@": ("ay", "ax"),
}  # fmt: skip


def from_espeak(mnemonic: str, accent: str) -> tuple[str, ...]:
    """The TIMIT labels that share the interval of an espeak-ng phoneme.

    `mnemonic` may carry espeak-ng's stress marks in front (`'`, `,`, `%`, `=`). Raises KeyError for a phoneme that the
    table does not know: the corpus would otherwise lose a sound without anybody noticing.
    """
    name = mnemonic.lstrip("',%=")
    table = _SCOTLAND if accent == "en-gb-scotland" else _RHOTIC if accent in RHOTIC_VOWELS else _NON_RHOTIC
    labels = table.get(name) or _COMMON.get(name)
    if labels is None:
        raise KeyError(f"espeak-ng phoneme {mnemonic!r} of accent {accent} has no TIMIT label")
    return labels
