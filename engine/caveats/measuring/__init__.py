"""Measuring: what goes on inside a network, read without a trace in its training.

It knows no run, no verdict and no screen.
"""
