"""Datasets that lie at a URL: what is sent there, what vouches for it, and how a store is spoken to."""
