"""What an export and a sync log of deployments that they tell of at their end, too."""

HAS_DISAPPEARED = "%s has disappeared: its runs are exported as far as they had come"
IS_GONE = "%s is gone: its runs stay as they are"
NOT_UP_TO_DATE = "The runs of %s are not up to date: %s"
