"""Background work: rows are the truth, jobs look a row up and call one verb."""
