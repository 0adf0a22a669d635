"""The public Python functions: the verbs of the command line, with the same names for what they take.

They are `leansort`'s own attributes (`leansort.run`, `leansort.compare`), and are imported at first use; importing this
package loads no PyTorch. It may import every floor but the command line. Begin with `jobs`.
"""

from leansort.api.bundles import bench, export, predict
from leansort.api.jobs import load_recipe, report, run
from leansort.api.scores import compare, score, submit

__all__ = ["bench", "compare", "export", "load_recipe", "predict", "report", "run", "score", "submit"]
