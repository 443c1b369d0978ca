"""Small convolutional networks on real pictures: their training, and their products in whole numbers."""
