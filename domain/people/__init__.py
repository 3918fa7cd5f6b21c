"""Who the members are: identities, households, babies, tags and consents."""
