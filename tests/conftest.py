"""What all tests share."""

from hypothesis import settings

# A slow machine is no failure: examples have no time limit, runs have pytest's.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
