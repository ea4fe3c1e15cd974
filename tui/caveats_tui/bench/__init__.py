"""What a screen works on, behind one protocol: a run in training, one followed, one replayed."""
