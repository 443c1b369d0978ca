"""A network of one's own, a module or from a file, site by site: which width costs which error, and what saturates.

    print(site_table(model))

Each row quantizes one site and leaves all others in float32; the first quantizes all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from quant.arithmetic.clipping import Scheme
from quant.own.own_rates import FileBits, OwnRates
from quant.own.saturation import SiteSaturation
from quant.sites.candidate import Bits, homogeneous
from quant.sites.site import Site


class Tabulated(Protocol):
    """What has a table."""

    scheme: Scheme

    @property
    def sites(self) -> Sequence[Site]:
        """Its sites, in the order of the computation."""
        ...

    @property
    def file_bits(self) -> Mapping[str, FileBits]:
        """Widths of the sites that a file has quantizers for."""
        ...

    def evaluate(self, bits: Bits | None) -> OwnRates:
        """Error of a candidate; without bits, of the network in float32."""
        ...

    def evaluate_some(self, bits: Bits) -> OwnRates:
        """Error with the sites that `bits` names quantized, and all others in float32."""
        ...

    def with_scheme(self, scheme: Scheme) -> Self:
        """This network with another scheme of clipping."""
        ...


WIDTHS = (16, 8, 4)
"""Bits of weights and activations that a table has columns of."""
ALL = "all sites"
WORTH_A_POINT = 1.0
"""Percentage points that steps for each row must gain to be advised."""


@dataclass(frozen=True)
class SiteErrors:
    """One row: a site quantized by itself, or all of them."""

    site: str
    errors: tuple[float, ...]
    """Error in percent at each of `WIDTHS`."""
    saturated: tuple[float, ...]
    """Share of all values of the site, at each of `WIDTHS`, that did not fit: the largest of what its product reads,
    what it leaves, and what its recurrence keeps."""
    file_bits: FileBits = (None, None)
    """Widths at which the scales are the file's own."""


@dataclass(frozen=True)
class SiteTable:
    """Errors in percent of a model by sites and widths."""

    float_error: float
    """Error in percent in float32."""
    rows: tuple[SiteErrors, ...]
    by_row: tuple[float, ...] | None = None
    """Error in percent at each of `WIDTHS` of all sites with a step for each row of their weights; None where the
    model has that already."""

    @property
    def advice(self) -> str:
        """A line where a step for each row errs less by a point at some width; empty otherwise."""
        gains = [
            f"{before:.2f} % to {after:.2f} % at {bits} bits"
            for bits, before, after in zip(WIDTHS, self.rows[0].errors, self.by_row or (), strict=False)
            if before - after >= WORTH_A_POINT
        ]
        return f"Scheme(per_channel=True) errs less: {', '.join(gains)}" if gains else ""

    def __str__(self) -> str:
        """The table as text."""
        wide = max(len(row.site) for row in self.rows)
        heads = [f"{bits} bits" for bits in WIDTHS]
        lines = [
            f"{'error %':<{wide}}  {'float32':>8}" + "".join(f"{head:>9}" for head in heads)
            + "   saturated at" + "".join(f"{head:>9}" for head in heads)
        ]  # fmt: skip
        for row in self.rows:
            exact = f"{self.float_error:8.2f}" if row.site == ALL else " " * 8
            errors = "".join(f"{error:9.2f}" for error in row.errors)
            shares = "".join(f"{100 * share:8.2f}%" for share in row.saturated)
            own = f"   scales of the file at {_widths(row.file_bits)}" if any(row.file_bits) else ""
            lines.append(f"{row.site:<{wide}}  {exact}{errors}{' ' * 15}{shares}{own}")
        return "\n".join([*lines, self.advice] if self.advice else lines)


def _widths(bits: FileBits) -> str:
    """Weights x activations, as candidates are written."""
    return "x".join("-" if width is None else str(width) for width in bits)


def site_table(model: Tabulated) -> SiteTable:
    """Evaluate a model in float32, with all sites at each of `WIDTHS`, and with each site alone: 3 evaluations a site,
    and 7 more."""
    rows = [_row(ALL, [model.evaluate(homogeneous(model.sites, bits)) for bits in WIDTHS])]
    for site in model.sites:
        row = _row(site.name, [model.evaluate_some({site.name: (b, b)}) for b in WIDTHS])
        rows.append(replace(row, file_bits=model.file_bits.get(site.name, (None, None))))
    by_row = None
    if not model.scheme.per_channel:
        others = model.with_scheme(replace(model.scheme, per_channel=True))
        by_row = tuple(others.evaluate(homogeneous(model.sites, bits)).error_max for bits in WIDTHS)
    return SiteTable(model.evaluate(None).error_max, tuple(rows), by_row)


def _row(site: str, rates: Iterable[OwnRates]) -> SiteErrors:
    by_width = list(rates)
    return SiteErrors(
        site,
        tuple(each.error_max for each in by_width),
        tuple(max((_largest(one) for one in each.saturation), default=0.0) for each in by_width),
    )


def _largest(saturation: SiteSaturation) -> float:
    return max(saturation.inputs, saturation.results, saturation.states)
