"""The tables of the documents: a module per document, whose FIGURES has a function for each of its marked blocks."""
