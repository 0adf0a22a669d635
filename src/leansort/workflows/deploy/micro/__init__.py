"""A bundle as an array of C for microcontrollers. Begin with `export_micro`."""
