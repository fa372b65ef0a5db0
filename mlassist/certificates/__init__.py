"""Certificates: which predictions may be trusted, decided by tests that keep their promise.

Pure functions of arrays. Scores are only compared: a promise holds however badly they are calibrated.
"""
