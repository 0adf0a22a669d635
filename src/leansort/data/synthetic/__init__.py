"""The sample data set: scenes of trash that leansort draws itself. Imports no other room. Begin with `scene`."""
