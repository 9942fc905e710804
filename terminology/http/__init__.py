"""FHIR over HTTP: what stands between a WSGI server and the operations."""
