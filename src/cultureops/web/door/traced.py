"""Each request as a span: its method, its route as the program writes it, and its status; nothing that anybody sent."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cultureops.tracing import span

__all__ = ["Traced"]

UNSEEN: Final = ("/healthz", "/metrics", "/stream", "/static/")
"""Asked by machines all the time, or open all day. What names a trace in a request is ignored: anybody may send it."""


class Traced:
    """Opens a span around each request; added only where a site asks for spans."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(UNSEEN):
            await self._app(scope, receive, send)
            return
        with span("request", **{"http.request.method": scope["method"]}) as note:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    note.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                note.set_attribute("http.route", getattr(scope.get("route"), "path", "none"))
