"""Datasets made of datasets: filtered, split, merged, migrated. Shards are linked or copied, never rewritten."""
