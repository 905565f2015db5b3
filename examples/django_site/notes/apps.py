"""The application's configuration."""

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "notes"
