"""Demos: scripts of captions and keys that are played on the real app."""
