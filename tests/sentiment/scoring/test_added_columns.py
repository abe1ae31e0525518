from hypothesis import given
from hypothesis import strategies as st

from sentiment.scoring.added_columns import PLAIN, name_added

TAKEN = ["sentiment", "Score", "predicted_sentiment", "PREDICTED_2_score", "label", "text"]


@given(st.lists(st.one_of(st.sampled_from(TAKEN), st.text()), unique=True))
def test_the_added_columns_have_names_that_no_other_column_has(there: list[str]) -> None:
    added = name_added(there, "reviews.csv")

    folded = {name.casefold() for name in there}
    assert folded.isdisjoint(added)
    assert len(set(added)) == 2
    assert (added == PLAIN) == folded.isdisjoint(PLAIN)
