"""What a run's page shows beside its scores, read and computed from the run's folder.

Imports what `deploy` may import, and nothing of `deploy` but its files on limits and latencies. Begin with
`page_evidence`.
"""
