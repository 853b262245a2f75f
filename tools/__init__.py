"""Of the checkout only: what its files are made with."""
