"""Pages of what happens in the field. Begin with `drift_page`."""
