"""Datasets in the peers' own layouts, one module each: `export(dataset, out, ...)`; none imports its peer."""
