"""Networks to look inside: loading, layers, receptive fields, activations, and gradients of their outputs."""
