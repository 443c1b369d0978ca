"""Time series in the `.ts` text format of the UCR/UEA archives (Bagnall et al. 2018).

Lines with `#` are comments, lines with `@` say what follows `@data`: a series a line, its dimensions separated by `:`,
the values of a dimension by `,`, and after the last `:` its class, one of those that `@classLabel true …` names.
"""

import math

import numpy as np

from quant.own.gru_classifier import Sequences
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

_REFUSED = {"@timestamps": "true", "@missing": "true"}
"""What is said of series that this reader does not take."""


def read_series(text: str, source: str) -> Sequences:
    """All series of a file, zero past their ends, with classes numbered in the order that the file names them in.
    Raises InputError with the line of what is wrong."""
    classes: list[str] = []
    series: list[np.ndarray] = []
    labels: list[int] = []
    in_data = False
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        where = f"{source}:{number}"
        if in_data:
            *dimensions, label = line.split(":")
            if label not in classes:
                raise InputError(f"{where}: class {shown(label)}: it must be one of {', '.join(classes)[:200]}")
            series.append(_values(dimensions, where))
            if series[-1].shape[1] != series[0].shape[1]:
                raise InputError(
                    f"{where}: {series[-1].shape[1]} dimensions: the first series has {series[0].shape[1]}"
                )
            labels.append(classes.index(label))
            continue
        word, *said = line.split()
        if _REFUSED.get(word.lower()) == " ".join(said).lower():
            raise InputError(f"{where}: {shown(line)}: only series without time stamps and gaps are read")
        if word.lower() == "@classlabel":
            classes = said[1:]
        in_data = word.lower() == "@data"
    if not series:
        raise InputError(f"{source}: it holds no series")
    lengths = np.array([len(values) for values in series], np.int64)
    x = np.zeros((len(series), lengths.max(), series[0].shape[1]), np.float32)
    for i, values in enumerate(series):
        x[i, : len(values)] = values
    return Sequences(x, np.array(labels, np.int64), lengths)


def _values(dimensions: list[str], where: str) -> np.ndarray:
    """(T, K) The values of a line."""
    try:
        columns = [[float(value) for value in dimension.split(",")] for dimension in dimensions]
    except ValueError as error:
        raise InputError(f"{where}: {' '.join(str(error).split())[:120]}") from None
    if not columns or len({len(column) for column in columns}) != 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        raise InputError(f"{where}: dimensions of {lengths or 'no'} steps: all of a series must have as many")
    if not all(math.isfinite(value) for column in columns for value in column):
        raise InputError(f"{where}: it holds values that are not finite")
    return np.array(columns).T
