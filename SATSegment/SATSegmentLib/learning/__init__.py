"""Learning: training data, a text encoder that knows the anatomy tree, segmentation training, teaching a new word."""
