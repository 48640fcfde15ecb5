"""Deployments, runs and sessions: thin, one request each."""

from qoder_async.resources.deployments import Deployments
from qoder_async.resources.runs import Runs
from qoder_async.resources.sessions import Sessions

__all__ = ["Deployments", "Runs", "Sessions"]
