"""The parts of the auditor's verifier: the standard library only, and nothing newer than Python 3.9.

The portal uses these parts itself; `backups.ledger.one_file` joins them into the file that an auditor keeps.
"""
