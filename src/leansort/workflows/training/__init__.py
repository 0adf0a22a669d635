"""`leansort train` and its kin: one training, several, an ablation, a refit. May import `data`. Begin with `train`."""
