"""What can be known about an order before a CA is asked: certain failures are not tried, everything else is told on demand."""
