"""One importer per list format of another project: list -> manifest."""
