"""Pages, tables, plots and model cards, of what the workflows measured. Begin with `page`."""
