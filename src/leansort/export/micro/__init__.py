"""A graph as an array of C for microcontrollers, checked by the interpreter that runs there. Begin with `c_array`."""
