# One image for every part: `up` (all of it in one container, the default), `api`, `worker`, `tui`, `doctor`.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# build: wheels of everything, each checked against its hash
FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/zypher
COPY requirements-build.txt requirements.txt ./
RUN /build/bin/pip install --require-hashes --requirement requirements-build.txt \
    && /build/bin/pip wheel --require-hashes --no-build-isolation --no-deps --wheel-dir /wheels \
        --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY zypher_api zypher_api
COPY zypher_jobs zypher_jobs
COPY zypher_tui zypher_tui
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/zypher/bin/python install --no-index --no-deps --compile /wheels/*.whl

# the image: Python, one environment without pip, one user without rights
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="zypher" \
    org.opencontainers.image.description="Serve machine-learning models over HTTP: answer now, or queue and answer later" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.vendor="Zypher maintainers"
RUN groupadd --gid 10001 zypher \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin zypher \
    && install --directory --owner=zypher --group=zypher --mode=0700 /data
COPY --from=build /opt/zypher /opt/zypher
# inside, every interface: who may reach the port is decided where it is published
ENV PATH="/opt/zypher/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ZYPHER_HOST=0.0.0.0 \
    ZYPHER_DATA_DIR=/data
WORKDIR /data
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
api = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('ZYPHER_PORT') or 8080), timeout=3); \
api.request('GET', '/health/live'); \
sys.exit(api.getresponse().status != 200)"]
ENTRYPOINT ["zypher"]
CMD ["up"]
