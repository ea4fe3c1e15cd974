"""Networks: the multilayer perceptron that a config describes, and what it is made of.

It knows neither data nor training.
"""
