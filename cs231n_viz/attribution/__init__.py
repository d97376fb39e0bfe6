"""Which pixels matter: gradients and their averages, occlusion, CAM and Grad-CAM, LRP, DeepLIFT, and how to score them."""
