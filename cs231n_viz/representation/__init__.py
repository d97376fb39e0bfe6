"""What features say: first-layer filters, nearest neighbours, PCA and t-SNE, top patches, selectivity, Gram matrices."""
