"""A bundle as C++. Begin with `export_cpp`."""
