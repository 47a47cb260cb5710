"""What `genba validate` checks, lint by lint: the catalogue, and a module for each kind of thing that is looked at."""
