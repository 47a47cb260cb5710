"""How fast genba is here, as ratios of what was measured in the same run."""
