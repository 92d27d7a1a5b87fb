"""Models that come with Zypher and are served by default."""
