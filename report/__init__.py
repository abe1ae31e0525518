"""Everything that draws and fills tables, from metrics/ and benchmarks/*.json: one page of a run, docs/ and README.md.

`__main__` writes the page: `sections` is what it says, `page` its HTML. `documents` fills the tables and numbers of the
documents, `drawings` draws their charts, `licences` writes docs/licences.md. `tables` has a module per document.
"""
