"""FHIR's RESTful API without a web framework: addresses, content types, search, history, changes, bundles."""
