"""A bounded load generator: what to send, sending it, and what came of it."""
