"""What the package brings, and plugins add: `leansort recipes`, `leansort models`, `leansort plugins`."""
