"""Where documents live: the contract and its engines."""
