"""May we, and what do we say: contactability, templates, care runs."""
