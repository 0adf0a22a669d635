"""What bundles bear before they fail: `leansort stress`."""
