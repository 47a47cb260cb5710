"""Tasks of the steel industry, one module each."""
