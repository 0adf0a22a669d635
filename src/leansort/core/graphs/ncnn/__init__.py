"""NCNN's own format, looked at without NCNN. Begin with `graph`."""
