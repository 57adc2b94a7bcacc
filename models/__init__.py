"""Everything with weights: recognisers, voice activity, speakers, classifiers, and their training."""
