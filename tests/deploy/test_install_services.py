"""`make services`, with an apt-get and a dpkg that note what they are asked and what they find while they are."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.deploy.conftest import ROOT

SCRIPT = ROOT / "tests" / "services" / "install.sh"
APT = """#!/bin/sh
echo "apt-get $*" >>"$ROOT/said"
[ "$1" = update ] || { "$ROOT/usr/sbin/policy-rc.d"; echo "policy $?" >>"$ROOT/said"
  cat "$ROOT/etc/postgresql-common/createcluster.d/no-main-cluster.conf" >>"$ROOT/said"; }
exit ${FAILING:-0}
"""
DPKG = '#!/bin/sh\ncase " $INSTALLED " in *" $2 "*) exit 0 ;; esac\nexit 1\n'
SYSTEMCTL = '#!/bin/sh\necho "systemctl $*" >>"$ROOT/said"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    programs = {"apt-get": APT, "dpkg": DPKG, "systemctl": SYSTEMCTL, "sudo": '#!/bin/sh\nexec "$@"\n'}
    for folder in ("bin", "usr/sbin", "lib/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    for service in ("nginx", "mosquitto"):
        (tmp_path / "lib/systemd/system" / f"{service}.service").touch()
    return tmp_path


def install(root: Path, *programs: str, **more: str) -> tuple[int, list[str]]:
    environment = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "ROOT": str(root)} | more
    ran = subprocess.run(["sh", SCRIPT, *programs], env=environment, capture_output=True, text=True, timeout=30)
    said = root / "said"
    return ran.returncode, said.read_text().splitlines() if said.exists() else []


def left(root: Path) -> set[str]:
    there = {str(path.relative_to(root)) for path in (root / "usr/sbin").iterdir()}
    return there | {str(path.relative_to(root)) for path in root.glob("etc/**/*")}


def test_nothing_is_started_and_nothing_stays_behind(root: Path) -> None:
    code, said = install(root, "openssl", "mosquitto", "nginx-light", "postgresql", INSTALLED="openssl mosquitto")
    assert code == 0
    assert said == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends nginx-light postgresql",
        "policy 101",
        "create_main_cluster = false",
        "systemctl --quiet disable nginx.service",
    ]
    assert left(root) == set()


def test_what_was_there_before_is_there_again_even_when_it_fails(root: Path) -> None:
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0 # the machine's own\n")
    policy.chmod(0o755)
    (root / "etc/postgresql-common").mkdir(parents=True)
    (root / "etc/postgresql-common/createcluster.conf").write_text("ssl = on\n")
    code, said = install(root, "postgresql", FAILING="100")
    assert code == 100 and said == ["apt-get update -qq"]
    assert "the machine's own" in policy.read_text() and os.access(policy, os.X_OK)
    assert left(root) == {"usr/sbin/policy-rc.d", "etc/postgresql-common", "etc/postgresql-common/createcluster.conf"}


def test_where_all_is_there_nobody_is_asked(root: Path) -> None:
    assert install(root, "openssl", "mosquitto", INSTALLED="openssl mosquitto") == (0, [])


def test_make_asks_for_all_that_tests_start() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "@sh tests/services/install.sh $(DEBIAN_PROGRAMS)" in makefile
    (named,) = [line for line in makefile.splitlines() if line.startswith("DEBIAN_PROGRAMS")]
    assert {"postgresql", "influxdb", "victoria-metrics", "nginx-light", "mosquitto", "openssl"} <= set(named.split())
