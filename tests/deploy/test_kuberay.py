"""The manifest for KubeRay agrees with the command, the image and the pins, and asks for what was measured."""

import re
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from report.licences import pins
from sentiment import predict
from sentiment.scoring.jobs import goes_into_a_file
from sentiment.scoring.places import is_remote
from tests.conftest import ROOT
from tests.deploy.replay import instructions

JOB = YAML(typ="safe").load((ROOT / "deploy/kuberay.yaml").read_text(encoding="utf-8"))
SPEC = JOB["spec"]
CLUSTER = SPEC["rayClusterSpec"]
HEAD, (WORKERS,) = CLUSTER["headGroupSpec"], CLUSTER["workerGroupSpecs"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINS = pins(ROOT / "requirements-scale.txt")
RAY = 450_000_000
"""Bytes that Ray's own processes took on a machine of workers, without its store."""
TASK = 273_000_000
"""Bytes that a process took at most which scored a million reviews."""
UNITS = {"Mi": 2**20, "Gi": 2**30}


def container(group: dict[str, Any]) -> dict[str, Any]:
    (only,) = group["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def containers() -> Iterator[dict[str, Any]]:
    yield container({"template": SPEC["submitterPodTemplate"]})
    yield container(HEAD)
    yield container(WORKERS)


def size(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def test_the_command_is_one_that_predict_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    python, module, name, *arguments = shlex.split(SPEC["entrypoint"])
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    parsed = predict.parse()

    assert (python, module, name) == ("python", "-m", predict.__name__)
    assert all(map(is_remote, [*parsed.inputs, parsed.output]))
    assert not goes_into_a_file(parsed.inputs, parsed.output)
    assert parsed.workers is None, "as many as the cluster has processors, which grow"


def test_the_model_and_the_code_are_in_the_image_where_the_command_starts() -> None:
    parts = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    model = SPEC["entrypoint"].rpartition("--model ")[2]

    assert {f"!{model}", "!sentiment", "!requirements-scale.txt"} <= set(parts)
    assert ("COPY", ". .") in instructions(DOCKERFILE)[-8:]


def test_one_image_with_the_pinned_ray_is_what_all_containers_run_and_what_is_built() -> None:
    (image,) = {each["image"] for each in containers()}
    (build,) = re.findall(r"docker build (--build-arg .+)", DOCKERFILE)

    assert image.endswith(f":ray-{PINS['ray']}")
    assert build == f"--build-arg PACKAGES=requirements-scale.txt --tag {image} ."
    assert CLUSTER["rayVersion"] == PINS["ray"]


def test_the_packages_that_serve_jobs_and_probes_are_pinned() -> None:
    """Plain Ray lacks them, and KubeRay then waits for ever."""
    assert {"aiohttp", "aiohttp-cors", "grpcio", "opentelemetry-sdk", "smart-open", "virtualenv"} <= PINS.keys()


def test_tasks_run_on_workers_alone_whose_number_has_bounds() -> None:
    assert HEAD["rayStartParams"]["num-cpus"] == "0"
    assert "num-cpus" not in WORKERS["rayStartParams"], "KubeRay takes the limit of CPUs"
    assert CLUSTER["enableInTreeAutoscaling"] is True
    assert 0 == WORKERS["minReplicas"] <= WORKERS["replicas"] <= WORKERS["maxReplicas"]
    assert SPEC["shutdownAfterJobFinishes"] is True


def test_memory_is_that_of_a_task_for_each_cpu_and_of_ray_twice() -> None:
    store = int(WORKERS["rayStartParams"]["object-store-memory"])
    limits = container(WORKERS)["resources"]["limits"]
    needed = int(limits["cpu"]) * TASK + RAY + store

    assert 2 * needed <= size(limits["memory"]) <= 3 * needed
    assert size(container(HEAD)["resources"]["limits"]["memory"]) >= 3 * RAY + store


def test_what_is_asked_for_is_what_is_guaranteed() -> None:
    for each in containers():
        wanted, limits = each["resources"]["requests"], each["resources"]["limits"]
        assert wanted["memory"] == limits["memory"]
    for group in (HEAD, WORKERS):
        assert container(group)["resources"]["requests"] == container(group)["resources"]["limits"]


def test_no_credential_is_in_the_file_and_whoever_reaches_the_store_has_them() -> None:
    for group in (HEAD, WORKERS):
        assert container(group)["envFrom"] == [{"secretRef": {"name": "object-store"}}]
        assert "env" not in container(group)
    assert "kubectl create secret generic object-store " in (ROOT / "deploy/kuberay.yaml").read_text(encoding="utf-8")
    assert CLUSTER["authOptions"] == {"mode": "token"}


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        (JOB, {"apiVersion", "kind", "metadata", "spec"}),
        (SPEC, {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "submitterPodTemplate", "rayClusterSpec"}),
        (
            CLUSTER,
            {
                "rayVersion",
                "authOptions",
                "enableInTreeAutoscaling",
                "autoscalerOptions",
                "headGroupSpec",
                "workerGroupSpecs",
            },
        ),
        (HEAD, {"rayStartParams", "template"}),
        (WORKERS, {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}),
    ],
)
def test_every_field_is_one_of_kuberays(fields: dict[str, Any], known: set[str]) -> None:
    """KubeRay's API, ray.io/v1, of version 1.6: docs.ray.io, "KubeRay CRD API reference"."""
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert fields.keys() == known


@pytest.mark.parametrize("group", [HEAD, WORKERS])
def test_ray_knows_every_option_that_it_is_started_with(group: dict[str, Any]) -> None:
    from ray.scripts import scripts

    known = {option.removeprefix("--") for parameter in scripts.start.params for option in parameter.opts}

    assert group["rayStartParams"].keys() <= known
