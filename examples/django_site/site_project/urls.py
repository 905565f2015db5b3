"""Addresses of the example site."""

from django.contrib import admin
from django.urls import path
from notes import views

urlpatterns = [
    path("", views.index, name="index"),
    path("notes/", views.upload, name="upload"),
    path("notes/<int:note>/file", views.download, name="download"),
    path("about-this-request", views.about_this_request),
    path("count", views.count),
    path("events", views.events),
    path("slow", views.slow),
    path("é✓/", views.unicode_path),
    path("healthz", views.healthz),
    path("admin/", admin.site.urls),
]
