"""Files read as the types they hold, and written from them.

May import `text`, `folders` and `writing`. Begin with `json_documents` (JSON read as a type), then `typed_result` (what
every workflow returns) and `typed_files` (a folder's files as handles).
"""
