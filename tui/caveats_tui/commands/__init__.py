"""The commands of the program, one module each. Modules import nothing heavy before they run."""
