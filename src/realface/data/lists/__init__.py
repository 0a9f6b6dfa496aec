"""One file per list format that other projects leave behind."""
