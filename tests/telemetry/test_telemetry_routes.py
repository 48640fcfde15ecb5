"""Few routes, however many paths."""

import pytest

from qoder_async.telemetry.routes import read_route


@pytest.mark.parametrize(
    ("path", "template", "ids"),
    [
        ("/deployments", "/deployments", {}),
        ("/deployments/dep_0199", "/deployments/{id}", {"qoder.deployment_id": "dep_0199"}),
        ("/deployments/dep_unknown/run", "/deployments/{id}/run", {"qoder.deployment_id": "dep_unknown"}),
        (
            "/deployments/dep_1/runs/drun_2",
            "/deployments/{id}/runs/{id}",
            {"qoder.deployment_id": "dep_1", "qoder.run_id": "drun_2"},
        ),
        ("/deployment_runs", "/deployment_runs", {}),
        ("/deployment_runs/drun_2", "/deployment_runs/{id}", {"qoder.run_id": "drun_2"}),
        ("/sessions/sess_3/events", "/sessions/{id}/events", {"qoder.session_id": "sess_3"}),
        ("/agents/agent_4", "/agents/{id}", {}),
        ("/v2/agents/agent_4", "/{id}/{id}/{id}", {}),
        ("/files/a.txt/0199/x", "/files/{id}/{id}/{id}", {}),
    ],
)
def test_ids_are_taken_out(path, template, ids):
    assert read_route(path) == (template, ids)
