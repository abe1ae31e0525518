"""Files in an object store, that of a server in this process."""

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSelector, FileSystem, copy_files

from sentiment.core.errors import UserError
from sentiment.scoring import claim, places
from sentiment.tables.reader import Reader
from tests.sentiment.scoring.files import Command, write

BUCKET = "reviews"


@pytest.fixture(scope="module")
def store() -> Iterator[FileSystem]:
    """An empty bucket of an S3 server, which the environment names."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        files, _ = FileSystem.from_uri(f"s3://{BUCKET}")
        yield files
    server.stop()


def put(store: FileSystem, name: str, table: pa.Table) -> None:
    write(Path(name).name, table)
    copy_files(Path(name).name, f"{BUCKET}/{name}", destination_filesystem=store)
    Path(name).unlink(missing_ok=True)


def names(store: FileSystem, folder: str) -> list[str]:
    found = store.get_file_info(FileSelector(f"{BUCKET}/{folder}", recursive=True, allow_not_found=True))
    return sorted(info.path.removeprefix(f"{BUCKET}/{folder}/") for info in found if info.is_file)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT", 0.1)
    monkeypatch.setattr(claim, "DEAD", 0.5)


def test_a_remote_folder_is_scored_into_another_and_a_rerun_finds_nothing_to_do(
    command: Command, store: FileSystem, toy_reviews: pa.Table, capsys: pytest.CaptureFixture[str]
) -> None:
    put(store, "in/a.csv", toy_reviews)
    put(store, "in/b.jsonl", pa.table({"text": ["good", ""]}))
    put(store, "in/left.bin.csv.rejected.jsonl", pa.table({"text": ["good"]}))
    command(f"s3://{BUCKET}/in/", "-o", f"s3://{BUCKET}/out")
    command(f"s3://{BUCKET}/in/", "-o", "here")

    assert names(store, "out") == [
        ".scoring/a.csv.parquet.json",
        ".scoring/b.jsonl.parquet.json",
        "a.csv.parquet",
        "b.jsonl.parquet",
        "b.jsonl.parquet.rejected.jsonl",
    ]
    with store.open_input_file(f"{BUCKET}/out/a.csv.parquet") as file:
        assert pq.read_table(file) == pq.read_table("here/a.csv.parquet")
    capsys.readouterr()
    command(f"s3://{BUCKET}/in/*.*", "-o", f"s3://{BUCKET}/out")
    said = capsys.readouterr().err
    assert "2 of 2 files were scored before and have not changed" in said
    assert "65 of 66 rows scored in 2 of 2 files" in said


def test_a_large_remote_parquet_file_is_copied_piece_by_piece(
    command: Command, store: FileSystem, toy_reviews: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.scoring.directory.PIECE", 10)
    monkeypatch.setattr("sentiment.scoring.directory.SMALL", 0)
    pq.write_table(toy_reviews, "a.parquet", row_group_size=16)
    copy_files("a.parquet", f"{BUCKET}/large/a.parquet", destination_filesystem=store)
    command(f"s3://{BUCKET}/large/a.parquet", "-o", f"s3://{BUCKET}/pieces/")
    command("a.parquet", "-o", "whole.parquet")

    with store.open_input_file(f"{BUCKET}/pieces/a.parquet.parquet") as file:
        assert pq.read_table(file) == pq.read_table("whole.parquet")
    assert names(store, "pieces") == [".scoring/a.parquet.parquet.json", "a.parquet.parquet"]


def test_of_a_remote_parquet_file_only_the_rows_that_are_needed_are_copied(
    store: FileSystem, toy_reviews: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(pa.concat_tables([toy_reviews] * 8), tmp_path / "b.parquet", row_group_size=64)
    copy_files(str(tmp_path / "b.parquet"), f"{BUCKET}/rows/b.parquet", destination_filesystem=store)

    with places.fetched(f"s3://{BUCKET}/rows/b.parquet", range(70, 90)) as path:
        (batch,) = Reader(path, bad_rows="stop", text="text", rows=range(70, 90))
        assert path.stat().st_size == (tmp_path / "b.parquet").stat().st_size
        assert path.read_bytes().count(0) > (tmp_path / "b.parquet").read_bytes().count(0)
    assert batch.numbers.tolist() == list(range(70, 90))
    assert batch.table["text"].to_pylist() == toy_reviews["text"].to_pylist()[6:26]


def test_a_damaged_remote_file_is_named_as_it_was_given(
    command: Command, store: FileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.open_output_stream(f"{BUCKET}/damaged/a.parquet") as file:
        file.write(b"PAR1 and no more")

    with pytest.raises(UserError, match=r"^2 of 2 files were not scored"):
        command(f"s3://{BUCKET}/damaged/a.parquet", f"s3://{BUCKET}/damaged/none.csv", "-o", "out")
    said = capsys.readouterr().err
    assert f"s3://{BUCKET}/damaged/a.parquet is not a whole parquet file" in said
    assert f"s3://{BUCKET}/damaged/none.csv is missing: give the path of a file that exists" in said


def test_a_living_process_keeps_its_remote_folder_and_a_killed_one_loses_it(store: FileSystem) -> None:
    folder = f"s3://{BUCKET}/claimed"
    message = r"^another process scores into s3://reviews/claimed: "
    with claim.claimed(folder), pytest.raises(UserError, match=message), claim.claimed(folder):
        pass
    places.write_text(f"{folder}/.scoring/lock", "killed 7")
    with claim.claimed(folder):
        assert names(store, "claimed") == [".scoring/lock"]
    assert names(store, "claimed") == []


def take(lock: str, check: claim.Check) -> None:
    """Write another's token until `check` refuses it; a beat that has begun may write over the first."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        places.write_text(lock, "successor 1")
        check()


@pytest.mark.usefixtures("store")
def test_a_process_that_was_silent_for_too_long_stops_and_leaves_the_lock_to_its_successor() -> None:
    folder = f"s3://{BUCKET}/lost"
    lock = f"{folder}/.scoring/lock"
    message = r"^another process scores into s3://reviews/lost: "
    with claim.claimed(folder) as check:
        check()
        with pytest.raises(UserError, match=message):
            take(lock, check)

    assert places.read_text(lock) == "successor 1"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ftp://bucket/a.csv", "ftp://bucket can't be opened: .* give s3://BUCKET/FOLDER/, say"),
        (f"s3://{BUCKET}/none/", f"s3://{BUCKET}/none/ names no file of a known format: names must end in"),
        (f"s3://{BUCKET}/*/a.csv", "has a pattern among its folders: only a file's name may be one"),
    ],
)
def test_a_remote_name_that_leads_nowhere_is_refused(command: Command, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        command(name, "-o", "out/")
