"""A resumable pipeline: stages, their journal, what to do next and the doing. Knows no domain."""
