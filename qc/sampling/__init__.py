"""Spot-check plans: what to listen to, why, and what the results say of all calls."""
