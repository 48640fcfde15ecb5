"""Following runs to their end: the rule that says when one has ended, the tracker, waiting and watching."""
