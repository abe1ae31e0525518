"""Reading and writing files of rows: csv, tsv, jsonl and parquet."""
