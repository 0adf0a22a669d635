"""Weight packs: one YAML file for each, which says where pretrained weights are and whose; see `weight_pack`."""
