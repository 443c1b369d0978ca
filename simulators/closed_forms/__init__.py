"""Published closed forms, as objectives and as tests."""
