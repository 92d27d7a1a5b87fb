-- Has idle workers look for themselves, after a queue was resumed.
-- KEYS  none beyond those of the header
-- Returns nothing.
wake()
