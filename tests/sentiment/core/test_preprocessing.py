"""What a model's texts go through, as it lies beside the model."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, Preprocessing, load_preprocessing


def test_preprocessing_is_read_as_train_wrote_it(tmp_path: Path, params_with: Callable[..., Params]) -> None:
    params = params_with()
    preprocessing = Preprocessing(
        cleaning=params.subsample.cleaning, emoji={"👎": "thumbs down"}, tokenize=params.tokenize
    )
    write_json(tmp_path / "preprocessing.json", preprocessing.model_dump())
    assert load_preprocessing(tmp_path) == preprocessing


@pytest.mark.parametrize("content", [None, "", "{}", '{"cleaning": {'])
def test_missing_or_damaged_preprocessing_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "preprocessing.json").write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path / 'preprocessing.json'))}"):
        load_preprocessing(tmp_path)
