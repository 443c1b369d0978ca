"""Networks from files as headers of C99, for the sizes of one call: see `network_header`."""
