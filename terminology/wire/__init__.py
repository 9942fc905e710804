"""FHIR on the wire: JSON and XML text, and the forms of R4 and R5."""
