"""How messages leave and what became of them: messages, outbox, receipts, suppressions."""
