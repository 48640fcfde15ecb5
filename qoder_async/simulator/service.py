"""The service without its sockets: a recorded request in, an answer out."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

import attrs

from qoder_async.simulator.answers import Answer
from qoder_async.simulator.bodies import json_object
from qoder_async.simulator.deployment_routes import DeploymentRoutes
from qoder_async.simulator.idempotency import IdempotencyKeys
from qoder_async.simulator.instants import SECOND
from qoder_async.simulator.problems import ProblemError, envelope, not_found
from qoder_async.simulator.routing import identifiers_in
from qoder_async.simulator.run_routes import RunRoutes
from qoder_async.simulator.session_routes import SessionRoutes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.settings import Settings
    from qoder_async.simulator.traffic import RecordedRequest
    from qoder_async.simulator.world import World

_REQUEST_ID_SALT = 31

_Action = Callable[["RecordedRequest", list[str], int], bytes | Answer]


class Service:
    """Answers requests.

    Args:
        world: The world.
        settings: How the service is set up.
    """

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._deployments = DeploymentRoutes(world, settings)
        self._runs = RunRoutes(world, settings)
        self._sessions = SessionRoutes(world, settings)
        self._keys = IdempotencyKeys()
        self._served = 0
        self._actions: dict[str, _Action] = {
            "GET /deployments": self._list_deployments,
            "POST /deployments": self._create_deployment,
            "GET /deployments/{id}": self._get_deployment,
            "POST /deployments/{id}": self._update_deployment,
            "POST /deployments/{id}/archive": self._action_on_deployment(self._deployments.archive),
            "POST /deployments/{id}/pause": self._action_on_deployment(self._deployments.pause),
            "POST /deployments/{id}/unpause": self._action_on_deployment(self._deployments.unpause),
            "POST /deployments/{id}/run": self._action_on_deployment(self._deployments.run),
            "GET /deployments/{id}/runs": self._list_runs,
            "GET /deployments/{id}/runs/{run_id}": self._get_nested_run,
            "GET /deployment_runs": self._list_all_runs,
            "GET /deployment_runs/{run_id}": self._get_run,
            "GET /sessions": self._list_sessions,
            "GET /sessions/{id}": self._get_session,
            "POST /sessions/{id}/cancel": self._cancel_session,
            "GET /sessions/{id}/events": self._list_events,
        }

    def request_id(self, request: RecordedRequest) -> str:
        """Take over the caller's request identifier, or make one where it has none that can be written back."""
        self._served += 1
        sent = request.headers.get("x-request-id", "")
        return sent if sent and sent.isprintable() else self._world.mint.uuid(self._served, _REQUEST_ID_SALT)

    def answer(self, request: RecordedRequest, request_id: str) -> Answer:
        """Answer a request, with all its effects.

        Args:
            request: The request.
            request_id: Goes into the headers and, in the lean shape, into error envelopes.

        Returns:
            The answer.
        """
        now = self._world.settle()
        try:
            token = bearer_token(request.headers, self._settings.token)
            answer = self._once(request, token, now)
        except ProblemError as problem:
            answer = self.refusal(problem.status, request_id, problem.message, problem.param)
        return attrs.evolve(answer, headers={**answer.headers, "x-request-id": request_id, "Date": _date(now)})

    def refusal(self, status: int, request_id: str, message: str | None = None, param: str | None = None) -> Answer:
        """Make an error envelope of the shape that is simulated."""
        shown = request_id if self._world.shape == "lean" else None
        return Answer(status, envelope(status, message, param, shown), {"Date": _date(self._world.settle())})

    def _once(self, request: RecordedRequest, token: str, now: int) -> Answer:
        """Act once for every idempotency key."""
        sent = request.headers.get("idempotency-key") or request.headers.get("x-idempotency-key")
        if request.method != "POST" or not sent:
            return self._act(request, now)
        key = (token, request.path, sent)
        known = self._keys.recall(key, request.body, now)
        if known is not None:
            return known
        answer = self._act(request, now)
        self._keys.remember(key, request.body, now, answer)
        return answer

    def _act(self, request: RecordedRequest, now: int) -> Answer:
        action = self._actions.get(request.route)
        if action is None:
            raise not_found("Route")
        result = action(request, identifiers_in(request.path), now)
        return result if isinstance(result, Answer) else Answer(200, result)

    # Deployments

    def _list_deployments(self, request: RecordedRequest, _ids: list[str], now: int) -> bytes:
        return self._deployments.list_all(request.query, now)

    def _create_deployment(self, request: RecordedRequest, _ids: list[str], now: int) -> bytes:
        return self._deployments.create(json_object(request.body), now)

    def _get_deployment(self, _request: RecordedRequest, ids: list[str], now: int) -> bytes:
        return self._deployments.get(self._deployments.find(ids[0]), now)

    def _update_deployment(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        return self._deployments.update(self._deployments.find(ids[0]), json_object(request.body), now)

    def _action_on_deployment(self, act: Callable[[Deployment, int], bytes]) -> _Action:
        """Make the action of a route that takes an empty body."""

        def action(request: RecordedRequest, ids: list[str], now: int) -> bytes:
            json_object(request.body or b"{}")
            return act(self._deployments.find(ids[0]), now)

        return action

    # Runs

    def _list_runs(self, request: RecordedRequest, ids: list[str], _now: int) -> bytes:
        return self._runs.of_deployment(self._deployments.find(ids[0]), request.query)

    def _get_nested_run(self, _request: RecordedRequest, ids: list[str], _now: int) -> bytes:
        return self._runs.get(ids[1], self._deployments.find(ids[0]))

    def _list_all_runs(self, request: RecordedRequest, _ids: list[str], _now: int) -> bytes:
        return self._runs.of_all(request.query)

    def _get_run(self, _request: RecordedRequest, ids: list[str], _now: int) -> bytes:
        return self._runs.get(ids[0])

    # Sessions

    def _list_sessions(self, request: RecordedRequest, _ids: list[str], now: int) -> bytes:
        return self._sessions.list_all(request.query, now)

    def _get_session(self, _request: RecordedRequest, ids: list[str], now: int) -> bytes:
        return self._sessions.get(self._sessions.find(ids[0]), now)

    def _cancel_session(self, request: RecordedRequest, ids: list[str], now: int) -> Answer:
        json_object(request.body or b"{}")
        return Answer(*self._sessions.cancel(self._sessions.find(ids[0]), now))

    def _list_events(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        return self._sessions.events(self._sessions.find(ids[0]), request.query, now)


def bearer_token(headers: Mapping[str, str], only: str | None) -> str:
    """Read the token of a request.

    Args:
        headers: Case-insensitive.
        only: The only token that is accepted; None: any that is not empty.

    Returns:
        The token.

    Raises:
        ProblemError: If it is missing, malformed or not the right one.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token or (only is not None and token != only):
        raise ProblemError(401, "Invalid API key or token.")
    return token


def _date(now: int) -> str:
    """The simulated time, by which everything in an answer goes."""
    return formatdate(now / SECOND, usegmt=True)
