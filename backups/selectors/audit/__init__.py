"""What auditors ask the record: populations, samples, gaps, exceptions, and who could approve."""
