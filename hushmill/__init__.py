"""What two different hushmill programs must agree on: packets, links, commands, limits.

This package root imports nothing, so that `hushmill --help` answers at once. Each subpackage has
its own door (`hushmill.packet`, `hushmill.link`, …); the flat modules beside them are small types.
"""

__version__ = "0.1.0"
