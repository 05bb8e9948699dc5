"""Tokens, passwords, roles, rights, audit."""
