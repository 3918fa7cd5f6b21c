"""How fast, measured against a floor in the same run. Nothing here is part of the product or of a test run."""
