"""Pretrained weights: fetched, matched to a network tensor by tensor, and loaded.

May import every other room but `engines`. Begin with `weight_loader`, then `matching`.
"""
