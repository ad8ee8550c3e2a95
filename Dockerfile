FROM python:3.11-slim
RUN useradd --create-home --uid 10001 cultureops && install -d -o cultureops /var/lib/cultureops
WORKDIR /opt/cultureops
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY drivers drivers
COPY simulators simulators
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER cultureops
ENTRYPOINT ["cultureops"]
CMD ["run", "/etc/cultureops/site.toml", "--data-dir", "/var/lib/cultureops"]
