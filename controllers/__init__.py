"""What the actions do; knows no wire."""

from controllers.table import Surroundings, build_table

__all__ = ["Surroundings", "build_table"]
