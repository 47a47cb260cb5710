"""One page a task, for people who check it against the sources: what is declared, and what is measured here and now."""
