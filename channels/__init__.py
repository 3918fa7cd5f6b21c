"""One file a provider: sends, maps its failures, verifies and normalises what it calls back."""
