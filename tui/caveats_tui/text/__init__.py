"""Words for what the program shows: numbers, times, settings, and their fallbacks in ASCII.

It knows no terminal and no screen, and loads nothing that is slow.
"""
