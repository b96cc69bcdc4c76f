# Rayhound as an image: docker build --tag rayhound .
# Its commands are the arguments: serve, consume, up, upload …, requeue. The archive is mounted at /data/images.
# A package index of your own: --build-arg INDEX=https://…
# It needs nothing of BuildKit's, which `minikube image build` does not always have.

ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
ARG INDEX=""
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build

COPY requirements/uv.txt requirements/
RUN python3 -m venv uv \
    && uv/bin/python -m pip install ${INDEX:+--index-url ${INDEX}} --require-hashes --requirement requirements/uv.txt

COPY requirements/run.txt requirements/
RUN uv/bin/uv venv --python python3 /opt/rayhound \
    && uv/bin/uv pip install ${INDEX:+--default-index ${INDEX}} --python /opt/rayhound --compile-bytecode --require-hashes \
        --requirements requirements/run.txt

COPY requirements/dev.txt requirements/
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN uv/bin/uv build ${INDEX:+--default-index ${INDEX}} --wheel --build-constraints requirements/dev.txt --require-hashes \
    && uv/bin/uv pip install --python /opt/rayhound --compile-bytecode --no-deps dist/*.whl

# What the packages bring for their own development is a tenth of all.
RUN cd /opt/rayhound/lib/python*/site-packages && rm -r onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
    && find . -name tests -type d -prune -exec rm -r {} +

FROM ${PYTHON}
ARG REVISION=""
LABEL org.opencontainers.image.title="Rayhound" \
      org.opencontainers.image.description="Takes in animal images, keeps every one safe, and says whether it shows a dog or a cat." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"

# A named volume takes its owner from this folder. It is no VOLUME: a web server that was given no storage should
# fail on its read-only root, not accept images into a place that ends with it.
RUN groupadd --gid 10001 rayhound && useradd --uid 10001 --gid rayhound --no-create-home --shell /usr/sbin/nologin rayhound \
    && install --directory --owner rayhound --group rayhound /data/images

COPY --from=build /opt/rayhound /opt/rayhound
ENV PATH=/opt/rayhound/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 RAYHOUND_HOST=0.0.0.0
USER 10001:10001
EXPOSE 5000 9464
ENTRYPOINT ["rayhound"]
