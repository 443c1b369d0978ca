"""What Dask opens to others: nothing beyond this machine's loopback interface; and clusters with TLS."""

import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dask
import psutil
import pytest
from commands import mohaq
from distributed import LocalCluster, Security
from slow_stand_in import SlowModel, experiment

from search import run
from search.evaluation.executors.cluster import Dask
from search.evaluation.executors.local_cluster import local_cluster
from simulators import InputError


def listening() -> set[tuple[str, int]]:
    """Addresses and ports on which this process and its children listen."""
    own = psutil.Process()
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in (own, *own.children(recursive=True))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_a_cluster_that_starts_here_is_reached_from_here_alone_and_serves_no_page() -> None:
    before = listening()
    with local_cluster(1) as cluster:
        opened = listening() - before
        assert len(opened) >= 2  # the scheduler's, and the worker's
        assert {address for address, _ in opened} == {"127.0.0.1"}
        port = cluster.scheduler.http_server.port
        assert ("127.0.0.1", port) in opened
        for page in ("status", "info/main/workers.html", "json/counts.json", "metrics", "health"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5)
    assert listening() <= before


def test_a_dashboard_is_on_the_loopback_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    class Recorded:
        def __init__(self, **settings: object) -> None:
            seen.update(settings)

        def close(self) -> None: ...

    monkeypatch.setattr("search.evaluation.executors.local_cluster.LocalCluster", Recorded)
    with local_cluster(1, dashboard=8787):
        assert seen["dashboard_address"] == "127.0.0.1:8787"
        assert dask.config.get("distributed.scheduler.http.routes")


def test_a_dashboard_needs_bokeh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.evaluation.executors.local_cluster.find_spec", lambda _: None)
    with pytest.raises(InputError, match="--dashboard 8787: Dask's dashboard needs bokeh"):
        Dask(1, dashboard=8787)


def test_a_dashboard_is_that_of_a_cluster_that_starts_here(tmp_path: Path) -> None:
    result = mohaq("search", "demo", "--out", "run", "--dashboard", "8787", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "mohaq: --dashboard 8787: it is that of a cluster that --dask starts\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates with their keys, each its own authority: `ours.pem` and `theirs.pem`."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        made = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ]
        files = ["-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
        subprocess.run([*made, *files], check=True, capture_output=True)
    return folder


def tls(certificates: Path, name: str, authority: str) -> dict[str, str | bool]:
    """Keys of Dask's configuration: this certificate for all of its roles, and that authority."""
    keys: dict[str, str | bool] = {"distributed.comm.require-encryption": True}
    keys["distributed.comm.tls.ca-file"] = str(certificates / f"{authority}.pem")
    for role in ("client", "scheduler", "worker"):
        keys[f"distributed.comm.tls.{role}.cert"] = str(certificates / f"{name}.pem")
        keys[f"distributed.comm.tls.{role}.key"] = str(certificates / f"{name}.key")
    return keys


@pytest.fixture(scope="module")
def scheduler(certificates: Path) -> Iterator[str]:
    """The address of a scheduler with TLS, on the loopback interface, with a worker."""
    with dask.config.set(tls(certificates, "ours", "ours")):
        security = Security()
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tls://", security=security,
        dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        yield cluster.scheduler_address


def test_a_scheduler_with_tls_by_dask_s_configuration(scheduler: str, certificates: Path, tmp_path: Path) -> None:
    settings = experiment(beacons=False, generations=0)
    run(settings, tmp_path / "inline", model=SlowModel())
    with dask.config.set(tls(certificates, "ours", "ours")), Dask(scheduler=scheduler) as executor:
        run(settings, tmp_path / "tls", model=SlowModel(), executor=executor)
    assert (tmp_path / "tls/pareto.csv").read_bytes() == (tmp_path / "inline/pareto.csv").read_bytes()


def test_a_scheduler_with_tls_by_a_security_object(scheduler: str, certificates: Path, tmp_path: Path) -> None:
    files = {
        "tls_ca_file": certificates / "ours.pem",
        "tls_client_cert": certificates / "ours.pem",
        "tls_client_key": certificates / "ours.key",
    }
    security = Security(require_encryption=True, **{name: str(file) for name, file in files.items()})
    with Dask(scheduler=scheduler, security=security) as executor:
        found = run(experiment(beacons=False, generations=0), tmp_path / "run", model=SlowModel(), executor=executor)
    assert found.front
    assert not found.set_aside


@pytest.mark.slow
@pytest.mark.parametrize(("name", "authority"), [("theirs", "ours"), ("ours", "theirs"), ("", "")])
def test_who_has_not_the_certificates_is_refused(
    scheduler: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, authority: str
) -> None:
    monkeypatch.setattr("search.evaluation.executors.cluster.TIMEOUT_S", 1)
    keys = tls(certificates, name, authority) if name else {}
    with (
        dask.config.set(keys),
        Dask(scheduler=scheduler) as executor,
        pytest.raises(InputError, match=f"--scheduler {scheduler}: no Dask scheduler answers there: "),
    ):
        run(experiment(beacons=False, generations=0), tmp_path / "run", model=SlowModel(), executor=executor)


def test_no_plain_connection_where_the_configuration_requires_encryption(certificates: Path, tmp_path: Path) -> None:
    with (
        dask.config.set(tls(certificates, "ours", "ours")),
        Dask(scheduler="tcp://127.0.0.1:1") as executor,
        pytest.raises(InputError, match="encryption required"),
    ):
        run(experiment(beacons=False, generations=0), tmp_path / "run", model=SlowModel(), executor=executor)
