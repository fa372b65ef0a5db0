"""Exports as other programs read them: `make readers`."""
