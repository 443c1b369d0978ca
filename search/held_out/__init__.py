"""What a front is worth beyond the utterances that it was chosen by: test, all of dev, and how far it is luck."""
