"""What happens in the field: drift watched, photos mined for labelling.

May import `data`, `training` and `deploy`. Begin with `drift_watching`.
"""
