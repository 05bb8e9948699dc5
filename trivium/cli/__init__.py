"""The command line: `trivium serve`, `call`, `import`, `export` and the others."""

from trivium.cli.commands import main

__all__ = ["main"]
