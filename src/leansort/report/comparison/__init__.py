"""Classifiers side by side as a page: two, or several with the first. Begin with `comparison_page`."""
