"""Pictures in datasets: media shards, one file for each camera and physics shard."""
