"""Files written whole or not at all, locked, and read as the types they hold.

May import `text` and `folders`. Begin with `atomic_io`, then `json_documents` (JSON read as a type),
`typed_result` (what every workflow returns) and `typed_files` (a folder's files as handles).
"""
