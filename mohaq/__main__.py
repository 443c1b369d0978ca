"""`python -m mohaq`."""

from mohaq import main

if __name__ == "__main__":
    main()
