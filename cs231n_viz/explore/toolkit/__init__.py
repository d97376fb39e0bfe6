"""What all explorers share: controls, canvas, pictures in the page, and the base classes."""
