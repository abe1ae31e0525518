"""Which row groups of a parquet file hold some of its rows."""

import pyarrow.parquet as pq


def groups_with(rows: range, metadata: pq.FileMetaData) -> tuple[list[int], int]:
    """Return the row groups that hold any of these rows, and the number of the first row in them."""
    groups: list[int] = []
    first = start = 0
    for group in range(metadata.num_row_groups):
        end = start + metadata.row_group(group).num_rows
        if start < rows.stop and end > rows.start:
            first = first if groups else start
            groups.append(group)
        start = end
    return groups, first
