"""The code that decides an error, and that which decides what a retraining comes to."""

from quant.networks.recurrent_cell import RecurrentCell
from simulators.inputs.code_digest import Code

RECOGNISER = Code(
    (
        "quant.sites", "quant.networks",
        *(f"quant.arithmetic.{name}" for name in (
            "calibration", "clipping", "delta", "float_arithmetic", "grid", "integer", "kernels", "kmeans", "observer",
            "products", "protocol", "weights",
        )),
        *(f"quant.evaluation.{name}" for name in (
            "delta_activity", "prefix_cache", "rates", "recogniser", "speech_splits", "threads",
        )),
        *(f"quant.files.{name}" for name in (
            "checkpoint", "export", "paired_files", "records", "tensor_files",
        )),
        *(f"quant.speech.{name}" for name in (
            "audio", "batches", "corpus", "digits", "features", "phones", "scoring",
            "scoring_kernels", "timit", "units", "utterances",
        )),
        "simulators.inputs.jit",
    ),
    libraries=("torch", "numpy", "scipy", "numba", "safetensors", "kaldi-native-fbank"),
)  # fmt: skip
"""Decides a recogniser's error on a corpus. The synthesis of one, its search and training are known by what they made:
the digests of recordings and parameters."""

RETRAINING = RECOGNISER | Code(
    tuple(
        f"quant.training.{name}"
        for name in (
            "best_epoch",
            "calibrating",
            "loop",
            "product_types",
            "retraining",
            "run_state",
            "straight_through",
        )
    )
)
"""Decides the parameters that a recogniser's retraining comes to."""

OWN_MODEL = Code(
    (
        *(f"quant.own.{name}" for name in (
            "content_digest", "formats", "module_layers", "module_tracing", "own_model", "own_rates", "plain_modules",
            "recurrence_formats", "recurrent_layers", "replaced_layers", "rounding_kernel", "roundings", "saturation",
            "traced_records",
        )),
        "quant.sites", "quant.networks",
        *(f"quant.arithmetic.{name}" for name in (
            "calibration", "clipping", "float_arithmetic", "grid", "kernels", "products",
        )),
        "simulators.inputs.jit",
    ),
    libraries=("torch", "numpy", "scipy", "numba"),
)  # fmt: skip
"""Decides the error of a module of one's own, apart from what evaluates it."""

GRAPH_MODEL = Code(
    (
        "quant.graphs", "quant.own.formats", "quant.own.own_rates", "quant.own.rounding_kernel", "quant.own.roundings",
        "quant.own.saturation",
        "quant.sites", "quant.networks",
        *(f"quant.arithmetic.{name}" for name in ("clipping", "grid", "kernels", "products")),
        "quant.speech.audio", "simulators.inputs.jit",
    ),
    libraries=("torch", "numpy", "scipy", "numba", "onnx"),
)  # fmt: skip
"""Decides the error of a network that is a graph."""

GRAPH_RETRAINING = GRAPH_MODEL | Code(
    (
        *(
            f"quant.training.{name}"
            for name in ("best_epoch", "loop", "product_types", "retraining", "run_state", "straight_through")
        ),
        "quant.files.tensor_files",
    ),
    libraries=("torch", "numpy", "safetensors"),
)  # fmt: skip
"""Decides the weights that the retraining of a network that is a graph comes to."""

OPERATOR_GRU = Code(
    (
        "quant.own.operator_gru", "quant.own.operator_gru_kernel", "quant.own.gru_classifier",
        "quant.arithmetic.whole_numbers", "simulators.inputs.jit",
    ),
    libraries=("numpy", "numba"),
)  # fmt: skip
"""Decides the error of a GRU whose operators have widths of their own."""

IMAGE_MODEL = Code(
    (
        *(f"quant.images.{name}" for name in (
            "float_network", "image_model", "image_networks", "image_tasks", "integer_network",
        )),
        "quant.tasks.pictures", "quant.tasks.task", "quant.own.gru_classifier", "quant.sites",
    ),
    libraries=("torch", "numpy"),
)  # fmt: skip
"""Decides the error of a convolutional network on pictures."""

IMAGE_RETRAINING = IMAGE_MODEL | Code(
    (
        "quant.images.image_retraining", "quant.images.image_training", "quant.tasks.epochs",
        "quant.training.best_epoch", "quant.training.run_state", "quant.files.tensor_files",
    ),
    libraries=("safetensors",),
)  # fmt: skip
"""Decides the parameters that such a network's retraining comes to."""

IMAGE_CODEBOOKS = IMAGE_MODEL | Code(
    (
        "quant.images.codebook_model", "simulators.inputs.jit",
        *(f"quant.arithmetic.{name}" for name in ("clipping", "grid", "kernels", "kmeans", "products")),
    ),
    libraries=("scipy", "numba"),
)  # fmt: skip
"""Decides the error of one whose weights are codes of codebooks."""


def cell_code(cell: RecurrentCell) -> Code:
    """Decides what a cell computes: the modules of its class and of those that it derives from."""
    classes = [kind for kind in type(cell).__mro__ if issubclass(kind, RecurrentCell)]
    return Code(tuple(dict.fromkeys(kind.__module__ for kind in classes)))
