"""Foreign files as datasets of ours, one module each: untrusted, searched before they are read; no peer is imported."""
