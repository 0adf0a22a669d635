"""What bundles bear: `leansort stress`."""
