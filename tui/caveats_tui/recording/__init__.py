"""Recordings of the program: written, replayed, and driven by scripts."""
