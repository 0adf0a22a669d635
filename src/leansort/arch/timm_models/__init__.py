"""Networks of the timm library as backbones, `timm:NAME` (extra `timm`). May import `spec` and `workarounds`."""
