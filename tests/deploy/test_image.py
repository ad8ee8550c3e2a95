"""The Dockerfile, as far as it can be told without an engine: what it copies is there, and nobody in it is root."""

import re
import tomllib
from typing import Any

from tests.deploy.conftest import ROOT

from cultureops import __version__


def steps() -> list[list[tuple[str, str]]]:
    """Instructions by stage, with their continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.strip().partition(" ")
            if instruction == "FROM":
                stages.append([])
            stages[-1].append((instruction, rest))
    return stages


def test_every_stage_is_pinned_and_the_last_holds_no_tools() -> None:
    build, last = steps()
    images = [rest.split()[0] for stage in (build, last) for word, rest in stage if word == "FROM"]
    assert len(set(images)) == 1 and re.fullmatch(r"python:3\.11\.\d+-slim-\w+", images[0])
    copied = [rest for word, rest in last if word == "COPY"]
    assert copied == ["--from=build /opt/cultureops /opt/cultureops"], "no source, no requirements"
    tools = next(rest for word, rest in build if word == "RUN" and "wheel" in rest)
    assert "pip uninstall --yes hatchling editables setuptools pip" in tools
    assert not any(re.search(r"apt-get|curl|wget|git ", rest) for stage in (build, last) for _, rest in stage)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for word, rest in steps()[0]:
        if word == "COPY":
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists() and source not in ignored, source
    assert {"secrets", "data", ".git", "site.toml"} <= set(ignored), "nothing of a lab goes into an image"


def test_it_runs_as_nobody_s_root_and_is_watched_and_ended_in_order(compose: dict[str, Any]) -> None:
    last = dict(steps()[1])
    assert last["USER"] == compose["services"]["app"]["user"] == "10001:10001"
    assert last["STOPSIGNAL"] == "SIGTERM" and last["VOLUME"] == "/var/lib/cultureops"
    assert '["python", "-m", "cultureops.healthy", "/etc/cultureops/site.toml"]' in last["HEALTHCHECK"]
    assert last["ENTRYPOINT"] == '["cultureops"]'
    assert [word for word in re.findall(r'"([^"]+)"', last["CMD"])] == compose["services"]["app"]["command"]
    assert compose["services"]["app"]["image"] == f"cultureops:{__version__}"


def test_all_that_is_installed_is_pinned_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {re.split(r"[<>=]", one)[0] for one in project["optional-dependencies"]["opentelemetry"]}
    pinned = (ROOT / "requirements" / "opentelemetry.txt").read_text()
    assert all(re.search(rf"^{name}==\S+ \\$", pinned, re.MULTILINE) for name in extra)
    run = (ROOT / "requirements" / "run.txt").read_text()
    for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", pinned, re.MULTILINE):
        other = re.search(rf"^{re.escape(name)}==(\S+)", run, re.MULTILINE)
        assert other is None or other[1] == version, f"{name}: make lock resolves both"
    for word, rest in steps()[0]:
        if word == "RUN" and "-r " in rest:
            assert "--require-hashes" in rest
