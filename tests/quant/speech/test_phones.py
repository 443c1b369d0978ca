import pytest

from quant.speech import phones


def test_there_are_61_48_and_39_phones_and_only_the_glottal_stop_is_deleted() -> None:
    assert (len(phones.TIMIT_PHONES), len(phones.PHONES_48), len(phones.PHONES_39)) == (61, 48, 39)
    assert [label for label, folded in phones.FOLD_39.items() if folded is None] == ["q"]
    assert [label for label, folded in phones.FOLD_48.items() if folded is None] == ["q"]


@pytest.mark.parametrize(
    ("phone", "labels"),
    [  # Lee & Hon (1989), table 3
        ("sil", {"bcl", "dcl", "gcl", "pcl", "tcl", "kcl", "h#", "pau", "epi"}),
        ("aa", {"aa", "ao"}),
        ("ah", {"ah", "ax", "ax-h"}),
        ("er", {"er", "axr"}),
        ("hh", {"hh", "hv"}),
        ("ih", {"ih", "ix"}),
        ("l", {"l", "el"}),
        ("m", {"m", "em"}),
        ("n", {"n", "en", "nx"}),
        ("ng", {"ng", "eng"}),
        ("sh", {"sh", "zh"}),
        ("uw", {"uw", "ux"}),
    ],
)
def test_folded_classes(phone: str, labels: set[str]) -> None:
    assert {label for label, folded in phones.FOLD_39.items() if folded == phone} == labels


def test_all_other_phones_stand_for_themselves() -> None:
    shared = {"sil", "aa", "ah", "er", "hh", "ih", "l", "m", "n", "ng", "sh", "uw"}
    joined = {label for label, folded in phones.FOLD_39.items() if folded in shared}
    for label in set(phones.TIMIT_PHONES) - joined - {"q"}:
        assert phones.FOLD_39[label] == label


def test_runs_of_silence_are_scored_once_and_q_vanishes_between_them() -> None:
    assert phones.fold(["h#", "q", "pau", "tcl", "t", "ih", "q", "n", "pau", "h#"]) == ["sil", "t", "ih", "n", "sil"]
    sil, t = phones.SILENCE_INDEX, phones.INDEX_39["t"]
    assert phones.merge_silence([sil, sil, t, t, sil, sil]) == [sil, t, t, sil]
    assert phones.merge_silence([]) == []


def test_rhotic_accents_keep_the_r_inside_the_vowel() -> None:
    assert phones.from_espeak("'A@", "en-us") == ("aa", "r")
    assert phones.from_espeak("'A@", "en-gb-x-rp") == ("aa",)
    assert phones.from_espeak("'A@", "en-gb-scotland") == ("aa",)  # an r of its own follows
    assert phones.from_espeak("aa", "en-us") == ("ae",)  # the vowel of *bath*
    assert phones.from_espeak("aa", "en-gb-x-rp") == ("aa",)


def test_an_unknown_espeak_phoneme_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"'!\?' of accent en-us has no TIMIT label"):
        phones.from_espeak("!?", "en-us")
