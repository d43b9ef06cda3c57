"""What a Deckhouse cluster is told to run a development build, and what it answers."""
