"""The list of kept runs and the window that compares them. Nothing is trained here."""
