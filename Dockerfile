# One image for head, workers and server: the pinned dependencies of requirements.lock, then this repository.
FROM python:3.11-slim-bookworm

# KubeRay's probes ask with wget; Ray starts with bash, which is there
RUN apt-get update && apt-get install --yes --no-install-recommends wget && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_worker_niceness=0 \
    RAY_TRAIN_ENABLE_V2=1 \
    MALLOC_ARENA_MAX=1 \
    GOMP_SPINCOUNT=3000 \
    RAY_DATA_DISABLE_PROGRESS_BARS=1 \
    RAY_DATA_PARQUET_FOOTER_NUM_ACTORS=1 \
    RAY_preload_python_modules=ray.data \
    RAY_BACKEND_LOG_LEVEL=fatal \
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0

WORKDIR /opt/screening
COPY requirements.lock ./
RUN pip install --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY screening ./screening
COPY train ./train
COPY serve ./serve
COPY jobs ./jobs
COPY bundles ./bundles
RUN pip install --no-deps --no-build-isolation --editable .

RUN useradd --create-home --uid 1000 screening && install --directory --owner=1000 /var/log/screening
USER 1000
WORKDIR /home/screening
CMD ["screening", "--help"]
