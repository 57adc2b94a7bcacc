"""Coaching: what a handler does well, which habits to change, and how to practise."""
