"""Reading what is published: lists, files and differences, from the registry alone."""
