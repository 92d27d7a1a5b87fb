"""The parts of the screen; each shows a ``View`` and knows nothing of sources."""
