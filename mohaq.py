"""The entry point of the command line, `mohaq` and `python -m mohaq`: the commands are in `commands/`."""

from commands import hardware, models, searches  # noqa: F401  (they add their commands, which --help lists in this order)
from commands.app import main

if __name__ == "__main__":
    main()
