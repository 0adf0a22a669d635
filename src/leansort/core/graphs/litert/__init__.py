"""LiteRT's own format (`.tflite`), read and written without LiteRT. Begin with `tflite_graph`."""
