"""The code that decides an error, and that which decides what a retraining comes to."""

from simulators.inputs.code_digest import Code

RECOGNISER = Code(
    (
        "quant.sites", "quant.networks",
        *(f"quant.arithmetic.{name}" for name in (
            "calibration", "clipping", "delta", "grid", "integer", "kernels", "products", "protocol",
        )),
        *(f"quant.evaluation.{name}" for name in ("batches", "prefix_cache", "rates", "recogniser")),
        "quant.files.checkpoint", "quant.files.export",
        *(f"quant.speech.{name}" for name in (
            "audio", "corpus", "digits", "features", "phones", "scoring", "timit", "units", "utterances",
        )),
        "simulators.inputs.jit",
    ),
    libraries=("torch", "numpy", "scipy", "numba", "safetensors", "kaldi-native-fbank"),
)  # fmt: skip
"""Of a recogniser's error on a corpus. The synthesis of one, its search and training are known by what they made: the
digests of recordings and parameters."""

RETRAINING = RECOGNISER | Code(("quant.training.loop", "quant.training.retraining"))
"""Of the parameters that a recogniser's retraining comes to."""

OWN_MODEL = Code(
    (
        *(f"quant.own.{name}" for name in ("module_tracing", "own_model", "recurrent_layers")),
        "quant.sites", "quant.networks",
        *(f"quant.arithmetic.{name}" for name in ("clipping", "grid", "kernels", "products", "protocol")),
        "simulators.inputs.jit",
    ),
    libraries=("torch", "numpy", "scipy", "numba"),
)  # fmt: skip
"""Of a module of one's own, apart from what evaluates it."""

OPERATOR_GRU = Code(("quant.own.operator_gru", "quant.arithmetic.reference"), libraries=("numpy",))
