"""Scores: features as of a cut-off, models trained on earlier cut-offs and judged on the last, reasons in words.

pandas and LightGBM are imported here and nowhere else; the worker and the command line enter through `job`.
"""

HORIZON_DAYS = 30
"""How far ahead both models look."""
ACTIVE_DAYS = 90
"""A member is active when she bought within so many days before the cut-off."""
