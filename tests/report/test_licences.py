"""The document of licences is in step with what is pinned and installed."""

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from report.licences import PARTS, document, pins

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_states_a_licence_of_every_pinned_package() -> None:
    text = document(ROOT)

    assert (ROOT / "docs/licences.md").read_text(encoding="utf-8") == text, "make licences brings the document in step"
    pinned = {canonicalize_name(name) for file in PARTS for name in pins(ROOT / file)}
    rows = dict(re.findall(r"^\| ([\w.-]+) \| \S+ \| (.+) \|$", text, re.MULTILINE))
    rows.pop("package")
    assert {canonicalize_name(name) for name in rows} == pinned
    assert [name for name, licence in rows.items() if licence == "not stated"] == []
