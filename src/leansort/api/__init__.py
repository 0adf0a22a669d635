"""The public Python functions: the verbs of the command line, with the same names for what they take.

They are `leansort`'s own attributes (`leansort.run`, `leansort.compare`), and are imported at first use; importing this
package loads no PyTorch. It may import every floor but the command line. Begin with `jobs`.
"""

from leansort.api.bundles import compare, predict
from leansort.api.jobs import load_recipe

__all__ = ["compare", "load_recipe", "predict"]
