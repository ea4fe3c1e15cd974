"""The terminal: whether the lab can be drawn on it, and holding it while the lab is open.

Import from the modules themselves: `facts` is needed before anything slow is loaded, and `guard`
and `driver` load what only Linux and macOS have.
"""
