"""Remove damaged files from DVC's cache: those whose content does not have the hash that they are named after.

DVC takes a file in its cache to be whole, and would bring the damage back with every checkout. What is removed is made
anew by `dvc repro`, or fetched by `dvc pull`.

    python -m sentiment.verify_cache
"""

import hashlib
from pathlib import Path

from tqdm import tqdm

from sentiment.core.command import run


def find_damaged(cache: Path) -> list[Path]:
    """Return the files in the cache whose content does not have the hash that they are named after."""
    files = sorted(path for path in (cache / "files/md5").glob("*/*") if path.is_file())
    found = []
    for path in tqdm(files, desc="verify", unit="file"):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "md5").hexdigest()
        if f"{path.parent.name}{path.name}" not in {content, f"{content}.dir"}:
            found.append(path)
    return found


def main() -> None:
    from dvc.repo import Repo

    found = find_damaged(Path(Repo().cache.local_cache_dir))
    for path in found:
        path.unlink()
        print(f"removed {path}: damaged")
    print(f"{len(found)} damaged files; dvc repro makes them anew" if found else "no damaged file")


if __name__ == "__main__":
    run(main, "verify_cache")
