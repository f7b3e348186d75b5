"""`python -m hushmill` is the command `hushmill`."""

from hushmill.cli import main

if __name__ == "__main__":
    main()
