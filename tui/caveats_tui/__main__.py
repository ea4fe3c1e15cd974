"""`python -m caveats_tui` does what the command caveats-tui does."""

from caveats_tui.cli import main

if __name__ == "__main__":
    main()
