"""Sample recordings, their orders and how they were made."""
