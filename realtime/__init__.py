"""Filters, rooms, notifications."""
