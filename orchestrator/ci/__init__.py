"""What a CI system says of its job, as parameters of ours: an environment in, variables out."""
