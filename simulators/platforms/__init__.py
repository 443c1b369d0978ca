"""The platforms that are built in, one folder each. Nothing else imports them: they are found by name."""
