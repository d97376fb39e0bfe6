"""Which pixels matter: gradients and their averages, occlusion, CAM, Grad-CAM, LRP, DeepLIFT, and how to score them."""
