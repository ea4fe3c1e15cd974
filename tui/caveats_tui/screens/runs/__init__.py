"""Kept runs on the screen: listed, watched, looked back through, compared. It trains nothing."""
