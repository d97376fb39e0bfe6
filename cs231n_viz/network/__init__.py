"""Networks to look inside: loading them, their layers, receptive fields and activations, and gradients of their outputs."""
