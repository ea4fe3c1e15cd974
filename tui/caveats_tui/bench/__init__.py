"""What a screen shows, behind one protocol: a run in training, one followed, one replayed."""
