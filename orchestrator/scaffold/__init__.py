"""What a module repository needs to be published from, and leaving hand-written werf files behind."""
