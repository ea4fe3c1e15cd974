"""Networks: the multilayer perceptron that a config describes, and its parts."""
