"""Coded records in, findings out: is each code right, on the day of the service, and do the codes go together.

``records`` has the nouns. One judge serves ``[type]/$validate``, the command line, the bulk engines and the tests of
other projects, so that the same record has the same findings everywhere.
"""
