"""What the server tells Prometheus."""

from fastapi.testclient import TestClient


def sample(client: TestClient, name: str) -> float:
    (line,) = (line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])
