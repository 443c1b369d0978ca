"""What a search is: one YAML file."""
