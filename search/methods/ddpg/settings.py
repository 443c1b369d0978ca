"""What an experiment says to HAQ's agent: the key `agent`. The defaults are those of its release (Wang et al., CVPR
2019; mit-han-lab/haq @8228d12)."""

from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class AgentSettings(BaseModel):
    """Sizes and rates of the agent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    warmup: int = Field(default=20, ge=0, le=100_000)
    """The last episode, from 0, whose actions are drawn evenly and that nothing is learnt after."""
    noise: float = Field(default=0.5, gt=0, le=10)
    """Standard deviation of an action around the actor's, before it is cut to 0 to 1, in the first episode after the
    warm-up, …"""
    noise_decay: float = Field(default=0.99, gt=0, le=1)
    """… and by what it is multiplied from one episode to the next."""
    hidden: int = Field(default=300, ge=1, le=4096)
    """Units of each of the two hidden layers of actor and critic."""
    actor_rate: float = Field(default=1e-4, gt=0, le=1)
    """Learning rate of the actor (Adam)."""
    critic_rate: float = Field(default=1e-3, gt=0, le=1)
    """Learning rate of the critic (Adam)."""
    discount: float = Field(default=1.0, ge=0, le=1)
    """What the value of the next step counts."""
    mixing: float = Field(default=0.01, gt=0, le=1)
    """Share of the learnt parameters that the targets take over after each update."""
    batch: int = Field(default=64, ge=1, le=4096)
    """Steps of an update."""
    replay: int = Field(default=128, ge=4, le=100_000)
    """Steps that are remembered, for each site that is searched."""
    least_bits: int = Field(default=1, ge=1, le=16)
    """The narrowest width that it chooses, of those that are legal."""
    most_bits: int = Field(default=16, ge=1, le=16)
    """The widest."""


@runtime_checkable
class AgentExperiment(Protocol):
    """The settings of a method that say what the agent is told besides."""

    @property
    def agent(self) -> AgentSettings | None:
        """None: the defaults."""
        ...

    @property
    def needs_error(self) -> bool:
        """Whether errors are evaluated at all."""
        ...
