"""`leansort cascade`: two bundles made one. Begin with `cascade_command`."""
