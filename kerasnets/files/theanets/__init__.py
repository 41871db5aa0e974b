"""theanets' own pickles, read without running them."""
