"""`leansort train --quick`: a linear probe, which says in a minute what the data can give. Begin with `quick_probe`.

May import every floor below the workflows, and of them `data` and `built_network`.
"""
