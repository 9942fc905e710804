"""Many coded records: files of resources or of rows in, one report out, judged by the judge of ``procedures``.

``sources`` says what is to be read, ``resources`` and ``rows`` are the two engines (NDJSON and Bundles; tables through
DuckDB), ``report`` has the nouns of what comes out and ``formats`` writes them. Memory is bounded by the distinct
records, and by a limit on these, never by the length of a file.
"""
