"""`python -m tests.lab …`: `hushmill lab` with the tests' own experiments."""

from experiments.lab.commands import lab
from tests.lab.experiments_here import KNOWN

if __name__ == "__main__":
    lab(obj=KNOWN)
