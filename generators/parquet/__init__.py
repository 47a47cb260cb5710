"""Tables that nobody has vouched for: what a file of Parquet says of itself is read by genba before Arrow reads it."""
