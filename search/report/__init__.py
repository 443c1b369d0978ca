"""A page, a picture and a table of finished searches."""
