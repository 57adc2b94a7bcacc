"""The learned layer: what an utterance carries (facets, behaviours, signals), given its context."""
