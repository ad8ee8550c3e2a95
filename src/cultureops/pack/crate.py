"""The pack as a research object: ``ro-crate-metadata.json`` of RO-Crate 1.1 (w3id.org/ro/crate/1.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["CRATE", "crate"]

CRATE: Final = "ro-crate-metadata.json"
_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"
_PROFILE: Final = "https://w3id.org/ro/crate/1.1"
_FORMATS: Final = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".txt": "text/plain",
    ".py": "text/x-python",
    ".tsr": "application/timestamp-reply",
}


def crate(
    title: str, about: str, published: str, files: Mapping[str, tuple[int, str, str]], root: str, made_by: str
) -> dict[str, Any]:
    """Describe a pack: ``files`` are (size [bytes], SHA-256 [hex], what it is) by path; ``published`` is ISO 8601.

    ``root`` is the Merkle root that all of it is proven against, ``made_by`` the program with its version.
    """
    dataset = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": about,
        "datePublished": published,
        "license": {"@id": "#licence"},
        "identifier": {"@id": "#merkle-root"},
        "hasPart": [{"@id": path} for path in sorted(files)],
        "mentions": [{"@id": "#written"}],
    }
    return {
        "@context": _CONTEXT,
        "@graph": [
            {
                "@id": CRATE,
                "@type": "CreativeWork",
                "conformsTo": {"@id": _PROFILE},
                "about": {"@id": "./"},
            },
            dataset,
            *(_file(path, *files[path]) for path in sorted(files)),
            {
                "@id": "#licence",
                "@type": "CreativeWork",
                "name": "Confidential record of a patient's treatment",
                "description": "For the laboratory, its sponsor and its inspectors; no right to publish is granted.",
            },
            {
                "@id": "#merkle-root",
                "@type": "PropertyValue",
                "propertyID": "RFC 6962 Merkle tree root, SHA-256",
                "value": root,
            },
            {"@id": "#cultureops", "@type": "SoftwareApplication", "name": "cultureops", "version": made_by},
            {
                "@id": "#written",
                "@type": "CreateAction",
                "name": "cultureops pack write",
                "endTime": published,
                "instrument": {"@id": "#cultureops"},
                "result": {"@id": "./"},
            },
        ],
    }


def _file(path: str, size: int, sha256: str, what: str) -> dict[str, Any]:
    suffix = path[path.rfind(".") :] if "." in path else ""
    return {
        "@id": path,
        "@type": "File",
        "name": what,
        "contentSize": str(size),
        "encodingFormat": _FORMATS.get(suffix, "application/octet-stream"),
        "sha256": sha256,
    }
