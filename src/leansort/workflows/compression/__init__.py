"""`leansort compress`. May import `data`, `training` and `deploy`. Begin with `compress`."""
