"""The card of a model: what it is, how it was made, and its error rates at every width."""

from pathlib import Path

from quant.evaluation.rates import ErrorRate
from quant.evaluation.recogniser import Recogniser
from quant.networks.geometry import Geometry
from quant.networks.registry import CELLS
from quant.runs.recipes import corpus_name
from quant.sites.candidate import BIT_WIDTHS, homogeneous
from quant.training.product_types import BEFORE_THE_CHOICE
from simulators.inputs.terminal import Terminal

CORPORA = {"timit": "TIMIT's layout", "fsdd": "Free Spoken Digit Dataset, connected digits; no speaker in two splits"}
MEASURES = {
    "phone": (
        "Phone error rate in percent over 39 phones (silence included), after Viterbi decoding with a phone bigram;\n"
        "worst: the largest over four groups of speakers."
    ),
    "digit": (
        "Digit error rate in percent (substitutions, insertions, deletions) after decoding with a digit bigram;\n"
        "worst: the largest over four groups of utterances."
    ),
}
"""What an error rate is, by the unit that it counts."""


def model_card(model: Recogniser, command: str, corpus_root: Path | None, console: Terminal) -> str:
    """The text of a card, whose error rates are also said on the console. `command` trains the model again."""
    record, geometry = model.checkpoint.record, model.network.geometry
    rows = []
    for label, bits in [("float", None), *((f"{b}x{b}", homogeneous(model.sites, b)) for b in BIT_WIDTHS[::-1])]:
        dev, test = model.evaluate(bits, "dev"), model.evaluate(bits, "test")
        rows.append(_row(label, dev, test))
        console.say(f"{label}: {model.unit} error rate {dev.error:.2f} % on dev, {test.error:.2f} % on test")
    recipe, minutes = record["recipe"], record["minutes"]
    weights = sum(site.weights for site in model.sites)
    corpus = f"embedded ({record['corpus_size']}, seed {record['corpus_seed']})"
    if corpus_root:
        corpus = CORPORA[corpus_name(corpus_root)]
    return f"""# {model.checkpoint.name}

{_describe(geometry)}, {geometry.outputs} {model.unit} states; {weights:,} weights, stored as float16.

- Corpus: {corpus}; {minutes["train"]} min of train, {minutes["dev"]} of dev, {minutes["test"]} of test.
- Training: {recipe["epochs"]} epochs, seed {recipe["seed"]}; products in
  {recipe.get("products", BEFORE_THE_CHOICE)}; the weights of the last epoch.
- Reproduce: `{command}`

{MEASURES[model.unit]} Bits are weights x activations, the same at every site, post-training.

| bits | dev | dev, worst | test | test, worst |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _row(label: str, dev: ErrorRate, test: ErrorRate) -> str:
    return f"| {label} | {dev.error:.2f} | {dev.error_max:.2f} | {test.error:.2f} | {test.error_max:.2f} |"


def _describe(geometry: Geometry) -> str:
    title = CELLS.get(geometry.cell).title
    kind = "Causal" if geometry.causal else "Bidirectional"
    text = f"{kind} {title}: {geometry.layers} layers of {geometry.cells} cells" + " a direction" * (
        not geometry.causal
    )
    return text if geometry.projection is None else f"{text}, projections of\n{geometry.projection}"
