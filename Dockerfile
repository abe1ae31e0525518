# The web page and its API with the exported model, without torch. After `make run`:
#
#   docker build --tag sentiment .
#   docker run --rm --read-only --tmpfs /tmp --publish 7860:7860 sentiment
#
# With Ray, for deploy/kuberay.yaml:
#
#   docker build --build-arg PACKAGES=requirements-scale.txt --tag registry.example.org/sentiment:ray-2.60.0 .

FROM python:3.11-slim AS packages
# What is installed beside the page's packages.
ARG PACKAGES=requirements-app.txt
WORKDIR /build
COPY requirements-app.txt requirements-scale.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --requirement requirements-app.txt \
    && /venv/bin/pip install --no-cache-dir --requirement $PACKAGES

FROM python:3.11-slim
COPY --from=packages /venv /venv
WORKDIR /srv/sentiment
COPY . .
# What is compiled here need not be at each start, when nothing can be written.
RUN /venv/bin/python -m compileall -q app sentiment
# Only /tmp need be writable: for uploads.
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PORT=7860
# A number, as Kubernetes cannot tell that a name is not root; Hugging Face runs Spaces as this one.
USER 1000:1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
# Cloud Run and its like choose the port. The shell hands its place to the server, which so gets the signals.
CMD ["sh", "-c", "exec python -m app --host 0.0.0.0 --port \"$PORT\""]
