"""Workers, their sources, and how tasks end, below the public ``qoder_async.concurrency``."""
