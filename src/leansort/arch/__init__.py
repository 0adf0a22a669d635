"""Networks: from an architecture as data to PyTorch modules with weights, and back.

May import `core`, `runtime` and `measure`. The rooms, from the ground up: `workarounds`, `layers`, `spec` (the
`ArchSpec` and its edits), `model_files` (rows in YAML), `timm_models` and `backbones`; then the files `build` (spec to
network) and `trained_model`; on top of them `pretrained`, `analysis`, `inference_module` and `engines`. Begin with
`spec.spec`, then `build`.
"""
