"""What features know: first-layer filters, neighbours, PCA and t-SNE, top patches, selectivity, Gram matrices."""
