"""Scores as Parquet: one row a member, model and category; the same scores give the same bytes."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [("member", pa.string()), ("model", pa.string()), ("category", pa.string()), ("score", pa.float64())]
)
Part = tuple[list[str], list[str], npt.NDArray[np.float64]]
"""Members by the source's own id, categories ('' for churn), scores."""


def write(folder: Path, model: str, parts: Iterable[Part]) -> int:
    """Write `<model>.parquet`, whole or not at all; answers the number of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished, rows = folder / f".{model}.parquet.new", 0
    with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
        for members, categories, scores in parts:
            columns = [pa.array(members, pa.string()), pa.array([model] * len(members), pa.string())]
            columns += [pa.array(categories, pa.string()), pa.array(scores, pa.float64())]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
            rows += len(members)
    unfinished.rename(folder / f"{model}.parquet")
    return rows
