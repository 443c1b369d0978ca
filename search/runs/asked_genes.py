"""What a method asked for, checked: methods come from outside too."""

import numpy as np

from search.methods.method import Method
from search.space.genome import Genes
from simulators.inputs.errors import InputError


def checked_genes(method: Method, asked: object, upper: Genes) -> Genes:
    """What a method asked for, as whole numbers (N, genes) within their bounds; none for None. Raises InputError
    for genes that there are not."""
    if asked is None:
        return np.zeros((0, len(upper)), np.int64)
    genes = np.array(asked)  # a copy: the method may go on with its own
    if genes.size == 0:
        return np.zeros((0, len(upper)), np.int64)
    fits = genes.ndim == 2 and genes.shape[1] == len(upper) and genes.dtype.kind in "iu"
    if not fits or (genes < 0).any() or (genes > upper).any():
        raise InputError(
            f"method {type(method).__name__}: it asked for {genes.dtype} of shape {genes.shape}: it must ask for whole "
            f"numbers, {len(upper)} a candidate, from 0 to the largest value of each gene"
        )
    return genes.astype(np.int64, copy=False)
