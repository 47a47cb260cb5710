"""What a dataset says of where it came from: cards, Croissant, provenance, checksums, signature; from dataset.json."""
