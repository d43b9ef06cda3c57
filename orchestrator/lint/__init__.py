"""Rules about a module's git tree, checked without a network: files in, defects out."""
