"""What a network's parts put out and cost. May import `build` and the rooms below it. Begin with `summary`."""
