"""Model cards: written when a network or bundle is made fit to be passed on, and read of the models that are known.

May import `training` and `deploy`. Begin with `model_card` (`leansort card`), then `model_listing` (`leansort models`),
which runs where neither PyTorch nor any other extra is installed.
"""
