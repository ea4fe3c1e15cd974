"""Instruments for plain gradient descent: sharpness against its limit, and gradient noise.

They measure a network on given rows and leave no trace in its training; they know no run.
`caveats.instruments.stability` needs no torch.
"""
