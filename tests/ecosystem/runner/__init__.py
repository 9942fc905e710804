"""Our runner of HL7's tx-ecosystem cases: builds the requests and judges the answers as HL7's own TxTester does."""

__version__ = "1.0.0"
