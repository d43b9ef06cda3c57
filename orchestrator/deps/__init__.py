"""What a module takes from elsewhere, pinned: the map of base images and the lib-helm chart."""
