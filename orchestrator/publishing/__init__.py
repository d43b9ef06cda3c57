"""Publishing built images under names of the user's own, as werf 1.0 published them."""
