"""The program shows itself: scripts of captions and keys, played on the real app."""
