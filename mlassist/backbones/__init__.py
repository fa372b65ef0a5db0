"""Pretrained networks that embed images.

`catalog` knows what may be chosen and is light; `loading`, `network`, `muon`, `train` and `tuning` import
torch and belong to worker processes: the web process never loads them.
"""
