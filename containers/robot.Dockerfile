# What a robot needs: the package without PyTorch. Build from the root of the repository:
#   docker build -f containers/robot.Dockerfile -t leansort-robot .
#   docker run --rm --network none -v "$PWD/photos:/photos:ro" leansort-robot predict /photos
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE MANIFEST.in constraints.txt ./
COPY src ./src
RUN python -m venv /opt/leansort \
 && /opt/leansort/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[openvino]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/leansort /opt/leansort
RUN useradd --create-home --uid 1000 robot
USER 1000
WORKDIR /home/robot
ENV PATH="/opt/leansort/bin:$PATH" PYTHONUNBUFFERED=1
ENTRYPOINT ["leansort"]
CMD ["--help"]
