"""What every context stands on: accounts, audit, imports, clock, ids."""
