"""What a walk over a list is made of: one page, one walk, and the reads beneath."""
