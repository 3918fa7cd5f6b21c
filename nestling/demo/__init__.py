"""The demo: from nothing to a working day on real purchases, and a supervisor that keeps it up until Ctrl-C."""
