"""Everything with weights: recognisers, voice activity, speakers, classifiers."""
