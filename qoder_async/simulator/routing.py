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


METHODS = frozenset(route.split()[0] for route in ROUTES)


def check_route(route: str) -> None:
    """Refuse the name of a route that there is not, before a test waits for its requests in vain.

    Args:
        route: For example ``GET /deployments/{id}/runs``, or ``unknown``.

    Raises:
        ValueError: If there is no such route.
    """
    if route not in ROUTES and route != UNKNOWN_ROUTE:
        raise ValueError(f"there is no route {route!r}; routes are: {', '.join(sorted(ROUTES))}")


def below_base(raw_path: str) -> str | None:
    """Cut the base off a path.

    Args:
        raw_path: The path of a request, percent-encoded.

    Returns:
        The rest, which begins with a slash; None where the path lies outside the base.
    """
    rest = raw_path.removeprefix(BASE_PATH)
    return rest if rest != raw_path and rest.startswith("/") else None


def find_route(method: str, path: str) -> str:
    """Find the route of a request.

    Args:
        method: The HTTP method.
        path: The path below the base, percent-encoded.

    Returns:
        The route; ``unknown`` where there is none.
    """
    parts = path.split("/")[1:]
    second = "{run_id}" if parts[:1] == ["deployment_runs"] else "{id}"
    names = [part if index % 2 == 0 else (second, "{run_id}")[index // 2] for index, part in enumerate(parts[:4])]
    route = f"{method} /{'/'.join(names)}"
    return route if len(parts) <= 4 and route in ROUTES and all(identifiers_in(path)) else UNKNOWN_ROUTE


def identifiers_in(path: str) -> list[str]:
    """List the identifiers in a path.

    Args:
        path: The path below the base, percent-encoded.

    Returns:
        Every second part of it.
    """
    return [unquote(part) for part in path.split("/")[2::2]]
