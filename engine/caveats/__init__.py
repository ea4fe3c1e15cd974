"""The engine of caveats-tui: trains, measures and keeps what it saw; knows no terminal."""
