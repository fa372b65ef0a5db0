"""The HTTP API, version 1: other programs rely on it. Extended, never broken."""
