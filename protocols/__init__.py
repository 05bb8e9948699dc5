"""Wires to envelopes and back; knows no controller and no store."""
