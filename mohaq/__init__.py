"""The command line, `mohaq` and `python -m mohaq`."""


def main() -> None:
    """Run the command that the arguments name: see `mohaq.app`."""
    from mohaq.app import main as run

    run()
