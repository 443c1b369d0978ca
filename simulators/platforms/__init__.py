"""The platforms that are built in, one folder each, and the registry of all. Nothing else imports a platform: it is
found by its name."""

from simulators.hardware.platform_registry import PLATFORMS
from simulators.lowering.platform import platform_named, register_platform

__all__ = ["PLATFORMS", "platform_named", "register_platform"]
