"""From a manifest to batches: the cache of decoded crops, the loader, class balance. Begin with `decoded_cache`."""
