"""Speech corpora, features and scoring."""
