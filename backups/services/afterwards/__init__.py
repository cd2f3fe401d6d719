"""What is left to do when a database is back."""
