"""No functions."""
