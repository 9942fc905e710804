"""Backups: everything that is state, in one file, and the way back."""
