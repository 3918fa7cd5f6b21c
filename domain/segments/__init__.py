"""Segments: which members a rule means. A summary of each member, rules over it, and who is in which segment."""
