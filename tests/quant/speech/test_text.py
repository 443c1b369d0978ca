import re

import numpy as np

from quant.speech.text import TEMPLATES, WORDS, draw_split_sentence, split_of, vocabulary


def test_the_grammar_is_wide() -> None:
    assert len(vocabulary()) >= 1000
    assert len(TEMPLATES) >= 20
    assert {slot for template in TEMPLATES for slot in re.findall(r"<(\w+)>", template)} == set(WORDS)


def test_splits_share_no_sentence_and_repeat_hardly_any() -> None:
    drawn = {
        split: [draw_split_sentence(split, np.random.default_rng((split_no, i))) for i in range(300)]
        for split_no, split in enumerate(("train", "dev", "test"))
    }
    for split, sentences in drawn.items():
        assert {split_of(s) for s in sentences} == {split}
        assert len(set(sentences)) > 290
        assert all(not re.search(r"[<>|]", s) and s[0].isupper() and s[-1] in ".?!" for s in sentences)


def test_articles_agree_with_the_word_that_follows() -> None:
    rng = np.random.default_rng(3)
    text = " ".join(draw_split_sentence("train", rng) for _ in range(3000))
    assert not re.search(r"\b[Aa] (apple|orange|hour|honest|elephant)\b", text)
    assert not re.search(r"\b[Aa]n (book|uniform|unique|youth|useful)\b", text)
