"""Fill the marked blocks of the documents with figures from the files that commands of this repository write.

Reads   metrics/, benchmarks/*.json, docs/compute.json, dvc.yaml
Writes  what stands between <!-- NAME --> and <!-- end of NAME --> in README.md and docs/*.md,
        and single numbers between <!-- FILE.json:KEY:KEY --> and <!-- -->

    python -m docs.figures
"""

from pathlib import Path

from docs.figures.blocks import filled
from sentiment.core.files import replacing

for document in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
    text = filled(document.read_text(encoding="utf-8"))
    with replacing(document) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
