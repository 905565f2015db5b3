"""Views that show what a server in front of Django must get right."""

import hashlib
import time

from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt

from notes.models import Note


def index(request):
    """The start page: notes with links to their media files, and a form."""
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("-id")[:20]})


def upload(request):
    """Keep an uploaded file."""
    if request.method == "POST" and "file" in request.FILES:
        Note.objects.create(title=request.POST.get("title") or "untitled", file=request.FILES["file"])
    return redirect("index")


def download(request, note):
    """Send a note's file through the application."""
    found = get_object_or_404(Note, pk=note)
    return FileResponse(found.file.open("rb"), as_attachment=True)


def about_this_request(request):
    """What Django believes about the request."""
    interesting = ("HTTP_HOST", "REMOTE_ADDR", "CONTENT_LENGTH", "SERVER_PROTOCOL", "wsgi.url_scheme")
    forwarded = {name: value for name, value in request.META.items() if name.startswith("HTTP_X_")}
    return JsonResponse(
        {
            "secure": request.is_secure(),
            "url": request.build_absolute_uri(),
            "host": request.get_host(),
            **{name: request.META.get(name) for name in interesting},
            **forwarded,
        }
    )


@csrf_exempt
def count(request):
    """Read the body in pieces; answer with its length and SHA-256."""
    digest = hashlib.sha256()
    length = 0
    while piece := request.read(65536):
        digest.update(piece)
        length += len(piece)
    return JsonResponse({"length": length, "sha256": digest.hexdigest()})


def events(request):
    """Three server-sent events, a third of a second apart."""

    def produce():
        for number in range(3):
            yield f"data: {number}\n\n"
            time.sleep(0.3)

    return StreamingHttpResponse(produce(), content_type="text/event-stream")


def slow(request):
    """Take a second, or as many as `?seconds=` says (ten at most)."""
    time.sleep(min(float(request.GET.get("seconds", "1")), 10))
    return HttpResponse("done\n", content_type="text/plain")


def unicode_path(request):
    """A path outside of ASCII."""
    return HttpResponse(request.path + "\n", content_type="text/plain; charset=utf-8")


def healthz(request):
    """Alive."""
    return HttpResponse("ok\n", content_type="text/plain")
