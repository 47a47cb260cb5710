"""Faults on purpose: the real program is killed, cut off and lied to, and must lose nothing."""
