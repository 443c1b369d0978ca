"""Methods by name: those of mohaq, those of installed packages, and those that plugin files register.

What stands under a name makes a method: a class, or a function without arguments.
"""

from collections.abc import Callable
from typing import cast

from search.methods.method import Method
from simulators.inputs.errors import InputError
from simulators.inputs.registry import Registry

MakeMethod = Callable[[], Method]


def _checked(name: str, thing: object) -> MakeMethod:
    if not callable(thing):
        raise InputError(f"method {name}: {type(thing).__name__}: it must be a class or a function that makes a method")
    return cast(MakeMethod, thing)


METHODS: Registry[MakeMethod] = Registry(
    "method",
    "mohaq.methods",
    {
        "nsga2": "search.methods.evolution:nsga2",
        "nsga3": "search.methods.evolution:nsga3",
        "age-moea": "search.methods.evolution:age_moea",
        "surrogate": "search.methods.surrogate:Surrogate",
        "additive": "search.methods.surrogate:additive",
        "random": "search.methods.random_search:RandomSearch",
        "greedy": "search.methods.greedy:Greedy",
        "haq-ddpg": "search.methods.ddpg.agent:HaqAgent",
    },
    _checked,
)


def register_method(name: str, make: MakeMethod) -> None:
    """Make a method known under a name: what a plugin file does. Raises InputError for a name in use."""
    METHODS.register(name, make)


def method_named(name: str) -> Method:
    """A new method of this name. Raises InputError for a name that nothing has, and for what is no method."""
    method = METHODS.get(name)()
    if not isinstance(method, Method):
        kind = type(method).__name__
        raise InputError(f"method {name}: {kind}: it must have begin, ask and tell, as search.methods.Method has them")
    return method
