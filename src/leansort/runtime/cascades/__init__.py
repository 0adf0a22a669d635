"""Two graphs in one bundle: the small one answers where it is sure, the large one answers the rest.

May import all of `runtime`, never PyTorch. Begin with `cascade_steps`, which decides who answers; `cascade_graph` is an
engine that does so, and `cascade_classifier` the `Classifier` of such a bundle.
"""
