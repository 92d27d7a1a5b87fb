"""What the three packages say to each other: frozen msgspec Structs, no behaviour, nothing of ours imported."""
