"""Why a graph gives a label: which parts of a picture it rests on. Begin with `occlusion`."""
