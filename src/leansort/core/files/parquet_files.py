"""Parquet that a stranger may have made: measured before it is unpacked, since a few bytes can stand for gigabytes."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leansort.core.locations.location import is_remote
from leansort.core.writing import atomic_io

FEW_ROWS = 1_000_000
BYTES_A_ROW = 8  # a row with a hash of its own takes more, however well it is packed
MOST_UNPACKED = 1 << 32
MOST_TEXT = 4096  # characters of a value; no path is longer
MOST_LISTED = 16  # values of a list


class UnreasonableParquetError(Exception):
    """It would unpack to more than any file of ours."""


def read(path: Path, texts: Sequence[str]) -> Any:
    """Read a table whose rows are all different.

    Args:
        path: the file.
        texts: columns of text, which are looked at as dictionaries first.

    Returns:
        A pyarrow table.

    Raises:
        Unreasonable: it has too many rows for its size, or values that are too long.
        OSError, ValueError, pyarrow.ArrowException: it is not Parquet that can be read.
    """
    parquet = importlib.import_module("pyarrow.parquet")
    data = io.BytesIO(atomic_io.read_file(path)) if is_remote(path) else path
    file = parquet.ParquetFile(data, read_dictionary=list(texts))
    meta, size = file.metadata, len(data.getvalue()) if isinstance(data, io.BytesIO) else path.stat().st_size
    unpacked = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    if meta.num_rows < 0 or meta.num_rows > max(FEW_ROWS, size / BYTES_A_ROW) or not 0 <= unpacked <= MOST_UNPACKED:
        raise UnreasonableParquetError(
            f"has {meta.num_rows:,} rows and {unpacked:,} bytes unpacked in {size:,} bytes; refused"
        )
    table = file.read()
    arrow = importlib.import_module("pyarrow")
    for name in table.column_names:
        at, column = table.column_names.index(name), table.column(name)
        _require_short(name, column, arrow)
        if arrow.types.is_dictionary(column.type):
            table = table.set_column(at, arrow.field(name, column.type.value_type), column.cast(column.type.value_type))
    return table


def _require_short(name: str, column: Any, arrow: Any) -> None:
    compute = importlib.import_module("pyarrow.compute")
    for chunk in column.chunks:
        values = chunk.dictionary if arrow.types.is_dictionary(chunk.type) else chunk
        most, length = (MOST_LISTED, compute.list_value_length) if arrow.types.is_list(values.type) else (0, None)
        if arrow.types.is_string(values.type):
            most, length = MOST_TEXT, compute.binary_length
        longest = compute.max(length(values)).as_py() if length else None
        if longest is not None and longest > most:
            raise UnreasonableParquetError(f"has a value of {longest:,} in column {name!r}, at most {most:,}; refused")
