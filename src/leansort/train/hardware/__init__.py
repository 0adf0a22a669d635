"""What training does for the machine: the device, the allocator, whether compiling pays. Begin with `device`."""
