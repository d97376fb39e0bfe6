"""Style transfer: by optimisation (Gatys et al.) and in one forward pass (Johnson et al., Dumoulin et al.)."""
