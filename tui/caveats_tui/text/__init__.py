"""Words for what the program shows: numbers, times, settings, and their replacements in ASCII.

Imports nothing slow.
"""
