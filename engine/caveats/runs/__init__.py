"""Runs that last: the folder that a run is kept in, written while it trains, read by anyone."""
