"""One file a claim; see run_all."""
