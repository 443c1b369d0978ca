"""The additive model: its front against every choice there is, its error and costs against those that do add up."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.methods.additive_costs import additive_costs
from search.methods.additive_error import AdditiveError
from search.methods.additive_front import AdditiveFront
from search.methods.pareto_sums import pareto_sums
from search.methods.site_genes import site_genes
from search.objectives.built_in import ENERGY, ERROR, LATENCY


def every_sum(tables: list[np.ndarray]) -> dict[tuple[float, ...], tuple[int, ...]]:
    """All choices of an option for each site, by their sums."""
    choices = product(*(range(len(table)) for table in tables))
    return {tuple(sum(table[i] for table, i in zip(tables, of, strict=True))): of for of in choices}


def front_by_hand(sums: list[tuple[float, ...]]) -> set[tuple[float, ...]]:
    return {a for a in sums if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in sums)}


WHOLE = st.integers(0, 9)


@st.composite
def tables_of(draw: st.DrawFn) -> list[np.ndarray]:
    columns = draw(st.integers(1, 3))
    options = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    rows = [
        draw(st.lists(st.lists(WHOLE, min_size=columns, max_size=columns), min_size=n, max_size=n)) for n in options
    ]
    return [np.array(of, float) for of in rows]


@given(tables_of())
def test_the_front_is_that_of_all_choices(tables: list[np.ndarray]) -> None:
    chosen = pareto_sums(tables, 10_000)
    sums = [tuple(sum(table[i] for table, i in zip(tables, of, strict=True))) for of in chosen.tolist()]
    assert len(sums) == len(set(sums))
    assert set(sums) == front_by_hand(list(every_sum(tables)))


@given(tables_of(), st.integers(0, 20))
def test_what_is_over_a_limit_is_left_out(tables: list[np.ndarray], limit: int) -> None:
    limits = np.array([limit, *[np.inf] * (tables[0].shape[1] - 1)])
    chosen = pareto_sums(tables, 10_000, limits)
    sums = {tuple(sum(table[i] for table, i in zip(tables, of, strict=True))) for of in chosen.tolist()}
    assert sums == front_by_hand([of for of in every_sum(tables) if of[0] <= limit])


def test_too_many_sums_are_thinned_evenly() -> None:
    """Twelve sites whose options trade one column for the other: 2^12 sums, none dominated."""
    tables = [np.array([[0.0, 2.0**i], [2.0**i, 0.0]]) for i in range(12)]
    assert len(pareto_sums(tables, 5000)) == 2**12
    chosen = pareto_sums(tables, 100)
    sums = np.sort(sum(table[chosen[:, i]] for i, table in enumerate(tables))[:, 0])
    assert 20 <= len(sums) <= 100
    assert np.diff(sums).max() < 2**12 / 8
    assert (sums[0], sums[-1]) == pytest.approx((0, 2**12 - 1), abs=2**12 / 16)


class Adding:
    """Three sites: of two genes of widths 2, 4, 8 and 16, of one, and one whose activations are lifted to 8 bits at
    least. Latency is a sum over sites of products of widths, energy has the opposite of a ratio."""

    widths = (2, 4, 8, 16)
    upper = np.array([3, 3, 3, 3, 3])
    hardware_genes = 0
    objectives = (ERROR, LATENCY, ENERGY)
    error_limit = 30.0

    def decode(self, genes: np.ndarray) -> dict[str, tuple[int, int]]:
        a, b, c, d, e = (self.widths[gene] for gene in genes.tolist())
        return {"A": (a, b), "B": (c, c), "C": (d, max(e, 8))}

    def within(self, genes: np.ndarray) -> np.ndarray:
        return np.ones(len(genes), bool)

    def name_of(self, genes: np.ndarray) -> str:
        return str(self.decode(genes))

    def cost(self, genes: np.ndarray) -> float:
        return sum(k * w * a for k, (w, a) in enumerate(self.decode(genes).values(), 1))

    def error(self, genes: np.ndarray) -> float:
        return 15.0 * float(np.exp(sum(0.6 / w + 0.4 / a for w, a in self.decode(genes).values())))

    def preview(self, genes: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        costs = np.array([self.cost(row) for row in genes], float)
        return np.column_stack([errors, costs, -1000.0 / costs]), np.zeros((len(genes), 1))


def everything() -> np.ndarray:
    return np.array(list(product(range(4), repeat=5)))


def test_genes_are_those_of_their_sites() -> None:
    assert [site.positions.tolist() for site in site_genes(Adding())] == [[0, 1], [2], [3, 4]]
    assert [len(site.options) for site in site_genes(Adding())] == [16, 4, 16]


def test_costs_that_add_up_are_found_whatever_they_are_told_in() -> None:
    """The ratio adds up as its inverse: both columns order all candidates as the costs do."""
    space, rows = Adding(), everything()
    sites = site_genes(space)
    tables = additive_costs(space, sites, space.upper[:0], 20.0, seed=1)
    costs = np.array([space.cost(row) for row in rows])
    assert {table.shape[1] for table in tables} == {2}  # the error is the same for all
    for column in range(2):
        found = np.zeros(len(rows))
        for site, table in zip(sites, tables, strict=True):
            number = (rows[:, None, site.positions] == site.options).all(axis=2).argmax(axis=1)
            found += table[number, column]
        slope, begin = np.polyfit(costs, found, 1)
        assert slope > 0
        assert found == pytest.approx(begin + slope * costs, abs=1e-6)


def test_an_error_that_adds_up_is_learnt_from_single_steps_and_predicted_for_all() -> None:
    space, rows = Adding(), everything()
    errors = np.array([space.error(row) for row in rows])
    model = AdditiveError()
    model.fit(np.repeat(rows, 3, axis=0), np.repeat(errors, 3), space.upper)  # so often that no pull is left
    assert model.predict(rows) == pytest.approx(np.log(errors), abs=0.01)
    assert all((np.diff(added) <= 0).all() for added in model.added)  # narrower is never better


def test_steps_that_nothing_tells_of_cost_what_others_do() -> None:
    """Two genes, of which one was never narrowed: a step of the other took 0.2."""
    model = AdditiveError()
    rows = np.array([[1, 1], [0, 1], [1, 1], [0, 1]])
    model.fit(rows, np.exp(np.array([3.0, 3.2, 3.0, 3.2])), np.array([1, 1]))
    assert model.added[1] == pytest.approx([0.2, 0.0], abs=0.01)


def test_the_widest_is_never_expected_to_err_less_than_a_factor_e_below_all() -> None:
    """Of two steps each came to 2 and both to 6, in logarithms: by the sum alone none would come to -2."""
    model = AdditiveError()
    model.fit(np.repeat([[0, 1], [1, 0], [0, 0]], 50, axis=0), np.exp(np.repeat([2.0, 2.0, 6.0], 50)), np.array([1, 1]))
    assert model.widest == pytest.approx(2.0 - 1.0)


def test_the_additive_front_is_the_front_where_all_adds_up() -> None:
    space, rows = Adding(), everything()
    errors = np.array([space.error(row) for row in rows])
    model = AdditiveError()
    model.fit(np.repeat(rows, 3, axis=0), np.repeat(errors, 3), space.upper)
    found = AdditiveFront(space, space.upper[:0], 20.0, seed=1).candidates(model)
    assert len(found)
    assert space.within(found).all()
    within = rows[space.within(rows)]
    predicted = np.column_stack([model.predict(within), [space.cost(row) for row in within]])
    mine = np.column_stack([model.predict(found), [space.cost(row) for row in found]])
    assert (mine[:, 0] <= np.log(30.0) + 0.1 + 1e-5).all()
    for error, cost in mine:  # none is better in one and no worse in the other
        assert not ((predicted[:, 0] < error - 1e-5) & (predicted[:, 1] <= cost)).any()
        assert not ((predicted[:, 0] <= error + 1e-5) & (predicted[:, 1] < cost)).any()
    for error, cost in predicted[predicted[:, 0] <= np.log(30.0)]:  # and none is missing
        assert ((mine[:, 0] <= error + 1e-5) & (mine[:, 1] <= cost)).any()
