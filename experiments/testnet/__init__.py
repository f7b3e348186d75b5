"""A local network of real processes on one machine: built, started, watched and ended."""
