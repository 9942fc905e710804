"""Measured, not guessed: what this server costs, beside something that everybody knows, in the same run."""
