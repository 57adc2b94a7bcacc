"""The learned layer: which facets, behaviours and signals an utterance carries, given its context."""
