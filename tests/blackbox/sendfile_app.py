"""A Django application that sends files by django-sendfile2, with the backend and the directory that the environment names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="not secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SENDFILE_BACKEND=os.environ["SENDFILE_BACKEND"],
    SENDFILE_ROOT=os.environ["SENDFILE_ROOT"],
    SENDFILE_URL="/protected",
)

from django.core.asgi import get_asgi_application  # noqa: E402  # needs the settings
from django.http import HttpRequest  # noqa: E402
from django.urls import path  # noqa: E402
from django_sendfile import sendfile  # type: ignore[import-untyped]  # noqa: E402  # it ships no types


def download(request: HttpRequest, name: str) -> Any:
    response = sendfile(
        request, Path(os.environ["SENDFILE_ROOT"], name), attachment=True, attachment_filename="own name.bin"
    )
    response.set_cookie("seen", "1")
    return response


urlpatterns = [path("download/<path:name>", download)]

application = get_asgi_application()
