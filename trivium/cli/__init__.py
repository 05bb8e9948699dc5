"""The command line: `trivium serve`, `call`, `import`, `migrate`, `settings`."""

from trivium.cli.commands import main

__all__ = ["main"]
