"""What a step of training is made of: loss, optimizer, learning rates, and the average of the weights.

Of training itself it may import the settings in `train_config` alone. Begin with `optim`.
"""
