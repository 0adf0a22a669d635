# Everything: training, search, compression and export on the CPU. Build from the root of the repository:
#   docker build -f containers/trainer.Dockerfile -t leansort-trainer .
#   docker run --rm --shm-size 1g -v "$PWD:/work" leansort-trainer run trashnet --data photos
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE MANIFEST.in constraints.txt ./
COPY src ./src
# PyTorch's wheels for the CPU alone are on its own index; those of the package index bring CUDA.
ARG TORCH_INDEX
RUN python -m venv /opt/leansort \
 && /opt/leansort/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
    ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 torchvision==0.28.0 \
 && /opt/leansort/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[all]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/leansort /opt/leansort
RUN useradd --create-home --uid 1000 trainer
USER 1000
WORKDIR /work
ENV PATH="/opt/leansort/bin:$PATH" PYTHONUNBUFFERED=1
ENTRYPOINT ["leansort"]
CMD ["--help"]
