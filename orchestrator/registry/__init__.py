"""A client of OCI registries: what the distribution and image specifications say, and no domain."""
