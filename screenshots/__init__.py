"""Makes the pictures of the program that the README and the docs show; not installed with it."""
