# The wheel and its environment are made in the first stage; the second holds no build tools, no pip and no source.
FROM python:3.11.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/cultureops
COPY requirements/run.txt requirements/run.txt
RUN /opt/cultureops/bin/pip install --require-hashes -r requirements/run.txt
COPY requirements/opentelemetry.txt requirements/opentelemetry.txt
RUN /opt/cultureops/bin/pip install --require-hashes -r requirements/opentelemetry.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY drivers drivers
COPY simulators simulators
RUN /opt/cultureops/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /opt/cultureops/bin/pip install --no-deps --no-index /wheel/*.whl \
 && /opt/cultureops/bin/pip uninstall --yes hatchling editables setuptools pip

FROM python:3.11.11-slim-bookworm
LABEL org.opencontainers.image.title="cultureops" \
      org.opencontainers.image.description="Watches the chambers of a cell-therapy lab and knows the batches inside them." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN python -m pip uninstall --yes setuptools wheel pip \
 && useradd --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --uid 10001 cultureops \
 && install -d -o cultureops -g cultureops -m 0700 /var/lib/cultureops
COPY --from=build /opt/cultureops /opt/cultureops
ENV PATH=/opt/cultureops/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/cultureops
VOLUME /var/lib/cultureops
EXPOSE 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-m", "cultureops.healthy", "/etc/cultureops/site.toml"]
ENTRYPOINT ["cultureops"]
CMD ["run", "/etc/cultureops/site.toml", "--data-dir", "/var/lib/cultureops"]
