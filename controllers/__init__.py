"""What the actions do; knows no wire."""
