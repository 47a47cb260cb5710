"""Reusable machines: functions that add one to a spec, and the parameters of each."""
