"""genba's scenes: machines, stock, and one file per task. No I/O, no processes."""
