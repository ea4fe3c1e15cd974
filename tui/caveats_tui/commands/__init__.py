"""The commands of the program, one module each. A module imports nothing slow before it runs."""
