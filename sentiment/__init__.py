"""What the stages and the app share: parameters, catalog, review tables, encoding, classifier, metrics."""
