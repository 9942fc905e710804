"""The migrations of the resource store, run at start by ``terminology.storage.store``."""
