"""One reader per dataset: folders -> videos and images with labels, splits and identities."""
