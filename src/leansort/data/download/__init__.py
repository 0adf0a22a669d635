"""Photos by the URLs of a COCO file: in parallel, resumable, checked. Begin with `photo_downloads`."""
