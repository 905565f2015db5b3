"""A long life in short: all kinds of traffic at once, disturbed all the time; afterwards nothing may have grown."""
