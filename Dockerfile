# One image for every role: `docker run leewatch run collector`, `... run analyzers`, `... up`.
# TORCH_INDEX names an index of CPU wheels of torch (image about 2.5 GB); unset, the default build with CUDA is taken (about 8 GB).
FROM python:3.11-slim AS build
ARG TORCH_INDEX=
WORKDIR /src
RUN python -m venv /opt/leewatch
COPY requirements.lock ./
RUN if [ -n "$TORCH_INDEX" ]; then \
      /opt/leewatch/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)"; \
    fi \
 && /opt/leewatch/bin/pip install --no-cache-dir -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY leewatch leewatch
COPY collector collector
COPY analyzers analyzers
COPY alerts alerts
COPY dashboard dashboard
RUN /opt/leewatch/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 leewatch && mkdir /data && chown leewatch /data
COPY --from=build /opt/leewatch /opt/leewatch
ENV PATH=/opt/leewatch/bin:$PATH LEEWATCH_DATA=/data PYTHONUNBUFFERED=1
USER leewatch
WORKDIR /home/leewatch
VOLUME /data
ENTRYPOINT ["leewatch"]
CMD ["up"]
