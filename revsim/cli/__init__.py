"""The command line."""

from revsim.cli.main import main

__all__ = ["main"]
