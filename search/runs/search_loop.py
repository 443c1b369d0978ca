"""The loop of a search: what a method asks for is evaluated and told, generation by generation; or, where evaluations
run beside one another and the method can do without, with no such barrier (`search.runs.asynchronous_search`)."""

from search.methods.method import Method, MethodSettings, Trial
from search.runs.asked_genes import checked_genes
from search.runs.asynchronous_search import MOST_BARREN, AsynchronousSearch
from search.runs.design_space import DesignSpace
from search.runs.recorder import OnGeneration, Recorder
from search.runs.searched_points import SearchedPoints
from simulators.inputs.errors import InputError


def search_space(
    method: Method, space: DesignSpace, settings: MethodSettings, recorder: Recorder, done: OnGeneration | None = None
) -> list[Trial]:
    """Every design point that a method asked for, each once, in the order in which they became known; until there are
    as many as the budget (`SearchedPoints`) allows, or the method finds nothing more to ask for.

    Raises InputError where a resumed run comes out otherwise than before, and for genes that there are not.
    """
    method.begin(space, settings)
    searched = SearchedPoints(space, settings)
    asynchronous = AsynchronousSearch.of(method, space, searched, recorder, done)
    barren = number = 0
    while searched.left and barren < MOST_BARREN and (asynchronous is None or number < asynchronous.begins_at):
        genes = checked_genes(method, method.ask(), space.upper)
        if not len(genes):
            if not number:
                raise InputError(f"method {type(method).__name__}: it asks for nothing")
            break
        recorder.check(number, genes)
        barren = 0 if searched.charge(genes) else barren + 1
        generation = space.evaluate(genes)
        method.tell(generation)
        recorder.save(number, genes)
        searched.add(generation)
        if done:
            done(max(0, searched.complete), len(searched.trials), searched.front)
        number += 1
    if asynchronous is not None:
        asynchronous.run()
    return list(searched.trials.values())
