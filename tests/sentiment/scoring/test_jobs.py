"""Which file goes where; tests/sentiment/scoring/test_several_files.py scores some."""

from pathlib import Path

import pytest

from sentiment.core.errors import UserError
from sentiment.scoring.jobs import Job, goes_into_a_file, left_out, plan


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with files, whose content no plan reads."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "B.TSV", "[1].csv", "in/a.csv", "in/deep/c.csv", "in/.hidden.csv", "in/x.csv.rejected.jsonl"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("in/read.me").touch()


@pytest.mark.parametrize(
    ("inputs", "output", "jobs"),
    [
        (["a.csv"], "in", [("a.csv", "in/a.csv.parquet")]),
        (["[1].csv"], "out/", [("[1].csv", "out/[1].csv.parquet")]),
        (["in"], "out", [("in/a.csv", "out/a.csv.parquet")]),
        (["in/**/c.csv"], "out", [("in/deep/c.csv", "out/c.csv.parquet")]),
        (["[aB].*", "a.csv", "./a.csv"], "out/", [("a.csv", "out/a.csv.parquet"), ("B.TSV", "out/B.TSV.parquet")]),
        (["a.csv", "no.csv"], "out", [("a.csv", "out/a.csv.parquet"), ("no.csv", "out/no.csv.parquet")]),
    ],
)
def test_files_directories_and_patterns_become_jobs(
    inputs: list[str], output: str, jobs: list[tuple[str, str]]
) -> None:
    planned = [Job(str(Path(job.source)), job.output) for job in plan(inputs, output)]

    assert sorted(planned, key=str) == sorted((Job(str(Path(source)), out) for source, out in jobs), key=str)


@pytest.mark.parametrize(
    ("inputs", "output", "single"),
    [
        (["a.csv"], "out", True),
        (["-"], "-", True),
        (["[1].csv"], "out.csv", True),
        (["s3://bucket/a.csv"], "out.csv", True),
        (["a.csv"], "in", False),
        (["a.csv"], "new/", False),
        (["a.csv", "B.TSV"], "out", False),
        (["in"], "out", False),
        (["*.csv"], "out", False),
        (["s3://bucket/in/"], "out", False),
        (["a.csv"], "s3://bucket/out", False),
    ],
)
def test_one_table_goes_into_a_file_unless_a_directory_is_there_or_named(
    inputs: list[str], output: str, single: bool
) -> None:
    assert goes_into_a_file(inputs, output) == single


def test_another_format_ends_the_names() -> None:
    outputs = [job.output for job in plan(["a.csv", "B.TSV"], "out", "jsonl.gz")]

    assert outputs == ["out/a.csv.jsonl.gz", "out/B.TSV.jsonl.gz"]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_pattern_may_be_relative_or_absolute(tmp_path: Path, absolute: bool) -> None:
    pattern = f"{tmp_path}/in/*.csv" if absolute else "in/*.csv"

    assert [job.output for job in plan([pattern], "out")] == ["out/a.csv.parquet"]


def test_what_a_directory_holds_besides_is_told_but_for_what_is_hidden_or_was_set_aside() -> None:
    assert left_out(["in", "a.csv"]) == [
        "in/deep is left out: it is a folder: name it, or use 'in/**/*.csv'",
        "in/read.me is left out: it is no file of a known format",
    ]


def test_of_many_that_are_left_out_some_are_named() -> None:
    for number in range(30):
        Path(f"in/{number}.bin").touch()

    assert len(left_out(["in"])) == 21
    assert left_out(["in"])[-1] == "12 more are left out"


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (
            ["in", "a.csv"],
            "out",
            r"^in/a\.csv and a\.csv would both become out/a\.csv\.parquet: score them into two directories$",
        ),
        (
            ["in/deep/../a.csv", "B.TSV"],
            "in",
            r"^in/deep/\.\./a\.csv is in the directory that -o names: name another one$",
        ),
        (["in/deep", "a.csv"], "B.TSV", r"^B\.TSV is a file, but several are to be written: name a directory with -o$"),
        (
            ["a.csv"],
            "s3://bucket/x.parquet",
            r"^a remote output must be a folder, but s3://bucket/x\.parquet names a file: give s3://bucket/, say$",
        ),
        (["*.parquet"], "out", r"^\*\.parquet matches no file: give files, a directory, or a pattern as"),
    ],
)
def test_a_plan_that_can_not_work_is_refused_before_any_work(inputs: list[str], output: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(inputs, output)


def test_a_directory_without_tables_is_refused() -> None:
    Path("empty").mkdir()

    with pytest.raises(UserError, match=r"^empty holds no file of a known format: names must end in \.csv, "):
        plan(["empty"], "out")


def test_a_directory_whose_folders_hold_texts_by_label_names_one_of_them() -> None:
    for place in ("reviews/test/neg", "reviews/test/pos", "reviews/unsorted"):
        Path(place).mkdir(parents=True)

    with pytest.raises(UserError, match=r"; reviews/test, a folder of texts by label, is scored where it is named it"):
        plan(["reviews"], "scored.csv")
    assert plan(["reviews/test"], "scored") == [Job("reviews/test", "scored/test.parquet")]
