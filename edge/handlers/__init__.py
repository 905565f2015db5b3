"""What answers an exchange: static files, the proxy, redirects, challenges, error pages."""
