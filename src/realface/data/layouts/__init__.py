"""One file per data set's folder layout."""
