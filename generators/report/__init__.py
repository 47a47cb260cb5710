"""One HTML file that tells people what a dataset holds, in English and Japanese, offline."""
