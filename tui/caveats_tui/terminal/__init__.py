"""The terminal: whether the lab can be drawn on it, and holding it while the lab is open.

Import from the modules themselves: `facts` is needed before anything slow is loaded; `guard` and
`driver` need modules that only Linux and macOS have.
"""
