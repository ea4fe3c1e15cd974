"""Charts as rows of coloured characters: numbers in, rows out, drawn outside the app's process.

Import from the modules themselves: the drawing process must not load Textual, nor the app plotext.
"""
