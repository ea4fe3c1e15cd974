"""Measuring: reads what happens inside a network, without changing its training."""
