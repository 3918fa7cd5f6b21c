"""GraphQL types, root fields and mutations of domain/people."""
