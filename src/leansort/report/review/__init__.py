"""Pages on which a person decides something, with the script that keeps and downloads the decisions."""
