"""What a dataset will cost: a pilot on this machine, a simulated schedule on a cluster."""
