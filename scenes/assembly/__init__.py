"""Tasks of the assembly line: one file each."""
