"""Commands for devices: `leansort agent`, which measures there what others ask for."""
