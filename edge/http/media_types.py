"""Media types by file name: edge's own table, the same on every machine (RFC 9110 §8.3).

The system's table differs from one distribution to the next, and a script with the wrong type does not run. The charset is
said where browsers would otherwise guess: text and JavaScript. JSON and SVG define their own (RFC 8259 §8.1, XML), a
charset there means nothing. What the table does not know is `UNKNOWN`, bytes to download, never sniffed into a page.
"""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = b"application/octet-stream"

HTML: Final = b"text/html; charset=utf-8"

_TEXT: Final = {
    "calendar": "ics",
    "css": "css",
    "csv": "csv",
    "html": "html htm",
    "javascript": "js mjs cjs",
    "markdown": "md markdown",
    "plain": "txt text log conf ini",
    "tab-separated-values": "tsv",
    "vcard": "vcf",
    "vtt": "vtt",
}

_OTHER: Final = {
    "application/atom+xml": "atom",
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/gzip": "gz tgz",
    "application/java-archive": "jar",
    "application/json": "json map topojson",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/postscript": "ps eps ai",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-rar-compressed": "rar",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/xhtml+xml": "xhtml",
    "application/xml": "xml xsl xslt",
    "application/zip": "zip",
    "application/zstd": "zst",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/webm": "weba",
    "font/collection": "ttc",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg jpeg jfif",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/webp": "webp",
    "image/x-icon": "ico cur",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "video/mp2t": "ts",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpeg mpg",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}

_BY_SUFFIX: Final = {
    suffix: media_type.encode()
    for table in ({f"text/{subtype}; charset=utf-8": names for subtype, names in _TEXT.items()}, _OTHER)
    for media_type, names in table.items()
    for suffix in names.split()
}

_BY_NAME: Final = {"apple-app-site-association": b"application/json"}
"""Files that must not have a suffix."""

_FONTS: Final = b"application/vnd.ms-fontobject"


def media_type_of(name: str) -> bytes:
    """The Content-Type of a file called `name` (its last segment), by its last suffix in any letter case."""
    _, dot, suffix = name.rpartition(".")
    if not dot:
        return _BY_NAME.get(name, UNKNOWN)
    return _BY_SUFFIX.get(suffix.lower(), UNKNOWN)


def is_font(media_type: bytes) -> bool:
    """Whether browsers fetch this type across origins in CORS mode only (CSS Fonts 4 §4.9)."""
    return media_type.startswith(b"font/") or media_type == _FONTS


_PASSIVE: Final = (b"audio/", b"video/", b"image/", b"font/", b"text/plain", b"application/pdf", b"text/vtt")


def is_active(media_type: bytes) -> bool:
    """Whether a browser that opens this type might run it: everything but what is known to be looked at or listened to."""
    return not media_type.startswith(_PASSIVE) or media_type.startswith(b"image/svg")
