"""Watching: instruments on a training that we did not write, in its own process."""
