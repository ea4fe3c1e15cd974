"""Recordings of a terminal: written while the program runs, and replayed."""
