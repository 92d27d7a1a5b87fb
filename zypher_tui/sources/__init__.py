"""Where facts come from: the API, Redis, a simulation. The only I/O of the dashboard."""
