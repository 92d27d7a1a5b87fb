"""The contestants of ``just bench queue``; each worker and each caller is a process of its own (``__main__``)."""
