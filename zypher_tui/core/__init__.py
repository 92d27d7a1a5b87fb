"""Folds facts into a view. No Textual and no I/O here: everything is a function of readings and a clock."""
