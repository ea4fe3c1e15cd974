"""The screen of a watched command: charts and verdicts, its layers, and its own output."""
