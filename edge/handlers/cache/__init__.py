"""The response cache (RFC 9111): one directory of files that all workers of a machine share, and what is done with it.

handler ─┬─ nothing for a cache, or known not to be kept ──────────────────▶ application
         ├─ stored and usable ──▶ delivery
         └─ asked for ──▶ somebody asks already? ── yes ──▶ waiting ──▶ delivery
                                                 └─ no ──▶ fetch ──▶ application
                                                            └─▶ store, and everybody who waits
"""
