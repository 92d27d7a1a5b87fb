"""The terminal: the dashboard (``app``) and its facts as plain text (``top``). Never imports Litestar."""
