"""Telling people that a certificate is running out, since no CA does so any more.

due        (pure) which certificates somebody must hear of now
message    (pure) the same in words, and as JSON
sending    a program, a webhook, a mail server
watch      looks every minute, and remembers over restarts what has been told
"""
