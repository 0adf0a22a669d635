"""Two classifiers side by side as a page. Begin with `comparison_page`."""
