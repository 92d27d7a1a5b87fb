"""What ``zypher up`` runs: check first, start, watch, restart with backoff, drain in order.

``preflight`` → ``stack`` (start and drain) → ``part`` (watch and restart) → ``child`` (one process); ``redis``, ``api``
and ``command`` are the kinds of parts. ``data_dir`` says who uses the data directory, ``console`` where words and logs
go, ``dashboard`` keeps the terminal sane, and ``parent`` is what a child does when its supervisor is gone.
``api_group`` is ``zypher api``, and ``group`` what it shares with ``stack``.
"""
