"""What one case file holds: a restore, a drill, a change of access."""
