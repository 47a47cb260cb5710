"""What pages and reports share: HTML that opens offline, its style, and figures as SVG text."""
