"""Segments: rules over members, who meets them, and why."""
