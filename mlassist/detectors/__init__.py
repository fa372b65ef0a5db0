"""Detectors: boxes and outlines of objects, learned from a project's regions on a pretrained backbone.

Only `network`, `learning`, `looking` and `zoo` import torch; shapes, matching and scores are plain arrays.
"""
