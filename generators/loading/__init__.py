"""Datasets as training data: windows of episodes, at random or block-shuffled, for numpy and for PyTorch."""
