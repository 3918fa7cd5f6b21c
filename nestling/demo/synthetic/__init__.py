"""Synthetic people around the real purchases: drawn from a household's number, and marked as synthetic row by row."""

from nestling.demo.synthetic.families import add_babies
from nestling.demo.synthetic.people import PeopleCounts, add_people

__all__ = ["PeopleCounts", "add_babies", "add_people"]
