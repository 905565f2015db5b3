"""edge: the web server in front of Python web applications."""
