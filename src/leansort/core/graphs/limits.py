"""What a bundle may hold at most. Every limit of a graph stands here, and nowhere else.

They leave room for the largest networks that anybody would sort with, and none for what would fill a robot's memory
or keep it busy for ever. `docs/robot.md` lists them for people.
"""

from __future__ import annotations

# The file.
BUNDLE_BYTES = 1 << 30
META_BYTES = 1 << 20  # of bundle.json, provenance included
META_DEPTH = 32  # of brackets in it

# Names: of labels, and of the model.
LABEL_CHARACTERS = 100
NAME_CHARACTERS = 200
LABELS = 10_000

# The graph, whatever its format.
NODES = 20_000
TEXT_BYTES = 4096  # of any name in it; longer ones are no names
RANK = 8  # dimensions of a tensor
SPAN = 65_535  # of a stride, a dilation, a window or its padding; engines count some of them in 32 bits, or fewer
NUMBERS = 100_000_000  # of 32 bits, held at once for one image, the weights aside: 400 MB
WORK = 100_000_000_000  # multiply-adds for one image; for other operators, numbers that they read or write
FOLDED = 4  # numbers made of constants alone, which engines compute as they load: so many for each byte of the file
OPSETS = (13, 100)  # versions of ONNX's operators: of older ones the rules differ
XML_ELEMENTS = 500_000
HEADER_BYTES = 8 << 20  # of a safetensors file

# Small tensors whose values decide shapes are computed, up to so many numbers.
KNOWN = 4096
