"""Makes the pictures of the program for the README and the docs; not installed with the program."""
