"""The service without its sockets: a recorded request in, an answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from qoder_async.simulator.answers import Answer
from qoder_async.simulator.deployment_routes import DeploymentRoutes
from qoder_async.simulator.idempotency import IdempotencyKeys
from qoder_async.simulator.problems import ProblemError, envelope, invalid, not_found
from qoder_async.simulator.routing import find_route
from qoder_async.simulator.run_routes import RunRoutes
from qoder_async.simulator.session_routes import SessionRoutes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qoder_async.simulator.settings import Settings
    from qoder_async.simulator.traffic import RecordedRequest
    from qoder_async.simulator.world import World

BODY_LIMIT = 4 * 1024 * 1024
_REQUEST_ID_SALT = 31
_BAD_JSON = "Request body must be valid JSON."


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
        self._actions: dict[str, Callable[[RecordedRequest, list[str], int], bytes | Answer]] = {
            "GET /deployments": self._list_deployments,
            "POST /deployments": self._create_deployment,
            "GET /deployments/{id}": self._get_deployment,
            "POST /deployments/{id}": self._update_deployment,
            "POST /deployments/{id}/archive": self._archive,
            "POST /deployments/{id}/pause": self._pause,
            "POST /deployments/{id}/unpause": self._unpause,
            "POST /deployments/{id}/run": self._run,
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
        """Take over the caller's request identifier, or make one."""
        self._served += 1
        return request.headers.get("x-request-id") or self._world.mint.uuid(self._served, _REQUEST_ID_SALT)

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
        return attrs.evolve(answer, headers={**answer.headers, "x-request-id": request_id})

    def refusal(self, status: int, request_id: str, message: str | None = None, param: str | None = None) -> Answer:
        """Make an error envelope of the shape that is simulated."""
        shown = request_id if self._world.shape == "lean" else None
        return Answer(status, envelope(status, message, param, shown))

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
        route, identifiers = find_route(request.method, request.path)
        action = self._actions.get(route)
        if action is None:
            raise not_found("Route")
        result = action(request, identifiers, now)
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

    def _archive(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        json_object(request.body or b"{}")
        return self._deployments.archive(self._deployments.find(ids[0]), now)

    def _pause(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        json_object(request.body or b"{}")
        return self._deployments.pause(self._deployments.find(ids[0]), now)

    def _unpause(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        json_object(request.body or b"{}")
        return self._deployments.unpause(self._deployments.find(ids[0]), now)

    def _run(self, request: RecordedRequest, ids: list[str], now: int) -> bytes:
        json_object(request.body or b"{}")
        return self._deployments.run(self._deployments.find(ids[0]), now)

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


def json_object(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Args:
        body: As it came.

    Returns:
        The object in it.

    Raises:
        ProblemError: If it is too large, no JSON or no object.
    """
    if len(body) > BODY_LIMIT:
        raise invalid(_BAD_JSON)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise invalid(_BAD_JSON) from None
    if not isinstance(value, dict):
        raise invalid("Request body must be a JSON object.")
    return value
