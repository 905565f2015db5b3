"""Static files: one handler per mount, from the request's target to bytes from memory or disk.

names      target's segments → name of a file beneath the root, or 404                    (pure)
beneath    opening a name so that it cannot lead out of a directory
files      the root of a mount, files opened in it, and what they looked like
immutable  which names promise never to change
heads      response heads of a file in one coding                                        (pure)
entry      a file ready to be sent: its variants, their heads and small bodies
loader     disk → entry
cache      entries and absences, bounded
catalogue  the present state of a name, at most a second old: joins files, loader and cache
reply      conditions and ranges held against an entry: a head and the pieces of a body     (pure)
transfer   streams from an open file
handler    what answers exchanges
"""
