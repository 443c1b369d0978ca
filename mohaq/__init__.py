"""The command line, `mohaq` and `python -m mohaq`."""

from mohaq.interruption import Interruption


def main() -> None:
    """Run the command that the arguments name: see `mohaq.app`."""
    with Interruption() as interruption:  # from the first moment: what is imported here takes a second
        from mohaq.app import main as run

        run(interruption)
