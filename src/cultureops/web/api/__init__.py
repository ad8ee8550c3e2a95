"""The REST API: what programs read and what they may enter, described in OpenAPI at ``/api/openapi.json``."""
