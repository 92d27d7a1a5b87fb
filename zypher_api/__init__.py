"""Zypher's HTTP API: Litestar over the queue and the models, which it knows only through their front doors."""
