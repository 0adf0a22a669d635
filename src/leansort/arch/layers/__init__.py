"""Building blocks of networks as PyTorch modules. Imports no other room. Begin with `blocks`."""
