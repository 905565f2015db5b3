"""A note with a file: media uploads."""

from django.db import models


class Note(models.Model):
    """A title and an uploaded file."""

    title = models.CharField(max_length=200)
    file = models.FileField(upload_to="notes")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title
