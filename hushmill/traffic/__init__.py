"""Traffic laws: the door of `hushmill.traffic`."""

from hushmill.traffic.poisson import PoissonProcess

__all__ = ["PoissonProcess"]
