"""From a path to the name of its route."""

from __future__ import annotations

from urllib.parse import unquote

BASE_PATH = "/api/v1/cloud"
UNKNOWN_ROUTE = "unknown"

ROUTES = frozenset(
    {
        "GET /deployments",
        "POST /deployments",
        "GET /deployments/{id}",
        "POST /deployments/{id}",
        "POST /deployments/{id}/archive",
        "POST /deployments/{id}/pause",
        "POST /deployments/{id}/unpause",
        "POST /deployments/{id}/run",
        "GET /deployments/{id}/runs",
        "GET /deployments/{id}/runs/{run_id}",
        "GET /deployment_runs",
        "GET /deployment_runs/{run_id}",
        "GET /sessions",
        "GET /sessions/{id}",
        "POST /sessions/{id}/cancel",
        "GET /sessions/{id}/events",
    }
)


def check_route(route: str) -> None:
    """Refuse the name of a route that there is not, before a test waits for its requests in vain.

    Args:
        route: For example ``GET /deployments/{id}/runs``, or ``unknown``.

    Raises:
        ValueError: If there is no such route.
    """
    if route not in ROUTES and route != UNKNOWN_ROUTE:
        raise ValueError(f"there is no route {route!r}; routes are: {', '.join(sorted(ROUTES))}")


def below_base(raw_path: str) -> str:
    """Cut the base off a path; a path outside the base stays as it is."""
    rest = raw_path.removeprefix(BASE_PATH)
    return rest if rest.startswith("/") else raw_path


def find_route(method: str, path: str) -> tuple[str, list[str]]:
    """Find the route of a request.

    Args:
        method: The HTTP method.
        path: The path below the base, percent-encoded.

    Returns:
        The route and the identifiers in the path; ``unknown`` where there is no such route.
    """
    parts = path.removeprefix("/").split("/")
    identifiers = [unquote(part) for part in parts[1::2]]
    second = "{run_id}" if parts[0] == "deployment_runs" else "{id}"
    names = [part if index % 2 == 0 else (second, "{run_id}")[index // 2] for index, part in enumerate(parts[:4])]
    route = f"{method} /{'/'.join(names)}"
    if len(parts) > 4 or route not in ROUTES or not all(identifiers):
        return UNKNOWN_ROUTE, []
    return route, identifiers
