"""The web page: type a review, see its sentiment."""
