"""The registry of the experiments that the engine's own tests run."""

KNOWN = {
    "coin": "tests.lab.coin",
    "deadly": "tests.lab.deadly",
    "formula": "tests.lab.formula",
    "gaps": "tests.lab.gaps",
    "network": "tests.lab.network",
}
