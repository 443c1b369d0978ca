"""The model that an experiment names, and how another process comes by it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from search.evaluation.model import Model
from search.settings.clipping import Clipping
from search.settings.experiment import Experiment
from simulators.inputs.files import resolved
from simulators.inputs.source_locations import KeyedError, under


@dataclass(frozen=True)
class ExperimentModel:
    """Makes an experiment's model, here or in another process, which may have another working folder."""

    model: str
    """A shipped checkpoint's name, or the absolute path of a file."""
    corpus_root: Path | None
    """Folder of a corpus; None: the embedded one."""
    clipping: Clipping
    every: int
    """Only every so-manyth utterance is evaluated."""
    data: Path | None = None
    """Folder of what a network of one's own is given; None: the model is a recogniser."""
    weights: Path | None = None
    """Weights that a retraining of such a network left; None: its own."""

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        """What makes the model of an experiment. Raises InputError for names that no folder can have."""
        with under("model"):
            file = Path(experiment.model)
            model = str(resolved(file)) if file.is_file() else experiment.model
        with under("corpus_root"):
            root = None if experiment.corpus_root is None else resolved(experiment.corpus_root)
        with under("data"):
            data = None if experiment.data is None else resolved(experiment.data)
        with under("weights"):
            weights = None if experiment.weights is None else resolved(experiment.weights)
        return cls(model, root, experiment.clipping, experiment.every, data, weights)

    def __call__(self) -> Model:
        """Raises InputError if there is no such model or corpus."""
        from quant import Scheme, load_model  # brings torch with it, which a search with a model of one's own need not

        if self.data is not None:
            from quant import load

            with under("model"):
                network = load(self.model, self.data, Scheme(**self.clipping.model_dump()))
            with under("weights"):
                return network if self.weights is None else network.with_weights_of(self.weights)
        from quant.files.checkpoint import find_checkpoint
        from quant.images.codebook_model import load_images
        from quant.images.image_model import is_image_model
        from quant.tasks.task_gru import TaskGru, is_operator_gru

        with under("model"):
            path = find_checkpoint(self.model)
        if is_operator_gru(path):
            self._check_task_model("an operator-wise GRU", "formats as wide as its operators' ranges")
            with under("corpus_root" if self.corpus_root else "model"):
                return TaskGru.load(path, self.corpus_root)
        if is_image_model(path):
            formats = "formats of its own, of least squared error, or codebooks (weights: kmeans)"
            self._check_task_model("a network for pictures", formats, codebooks=True)
            with under("corpus_root" if self.corpus_root else "model"):
                return load_images(path, self.corpus_root, self.clipping.has_codebooks)
        with under("model"):
            return load_model(self.model, self.corpus_root, Scheme(**self.clipping.model_dump()), every=self.every)

    def _check_task_model(self, what: str, formats: str, codebooks: bool = False) -> None:
        """Raise KeyedError for settings that only a recogniser has; `codebooks`: whether the model may have them."""
        if self.every != 1:
            raise KeyedError(("every",), f"{self.every}: {what} is evaluated on all of its task's dev part")
        if self.clipping != Clipping() and not (codebooks and self.clipping.has_codebooks):
            raise KeyedError(("clipping",), f"{what} has {formats}")
