"""Pure functions between bytes and envelopes: no awaiting, clock or logging."""
