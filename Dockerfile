# Two images: `site` is the example Django site under gunicorn, `edge` is edge itself (the last stage, so `docker build .`
# makes that one).

FROM python:3.13-slim AS site
RUN pip install --no-cache-dir 'django>=5.2,<6' 'gunicorn>=23' \
    && install --directory --owner=www-data --group=www-data /srv/site
COPY examples/django_site /app
WORKDIR /app
ENV SITE_STATE=/srv/site PYTHONDONTWRITEBYTECODE=1
USER www-data
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "site_project.wsgi"]

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY requirements.lock /src/
RUN python -m venv /opt/edge && /opt/edge/bin/pip install --no-cache-dir --require-hashes -r /src/requirements.lock
COPY pyproject.toml setup.py README.md LICENSE /src/
COPY edge /src/edge
# What it runs with is there, as locked.
RUN EDGE_COMPILE=always /opt/edge/bin/pip install --no-cache-dir --no-deps /src

FROM python:3.13-slim AS edge
COPY --from=build /opt/edge /opt/edge
# The second variable gives /var/lib/edge to other users as well, when the container is not run as root.
ENV PATH=/opt/edge/bin:$PATH XDG_DATA_HOME=/var/lib
# Certificates and the account key. Without a volume that survives the container, each new one orders again, and Let's
# Encrypt issues five certificates a week for the same names.
VOLUME /var/lib/edge
EXPOSE 80 443
# The supervisor replaces what dies by itself.
HEALTHCHECK NONE
# Root, and only in here: `--user www-data` makes the workers, which read what strangers send, somebody who cannot read the
# private keys on the volume. Everything as another user works too (docs/how-to/docker-compose.md), but then they could.
ENTRYPOINT ["edge"]
