"""The routes, one subject a file. Each file makes its handlers around the ``Services`` they work with."""
