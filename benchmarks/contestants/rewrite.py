"""An nginx before InfluxDB 1.x that takes writes for a bucket to the database of that name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import Server, free_port, program

__all__ = ["serve"]


@contextmanager
def serve(folder: Path, behind_port: int) -> Iterator[Server]:
    """Run the proxy before a server on this machine."""
    port = free_port()
    kept = " ".join(f"{kind}_temp_path {folder}/nginx;" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/nginx; {kept}
  client_max_body_size 16m; client_body_buffer_size 16m;
  upstream database {{ server 127.0.0.1:{behind_port}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location = /ready {{ return 204; }}
    location = /api/v2/write {{
      rewrite ^ /write?db=$arg_bucket&precision=$arg_precision? break;
      proxy_pass http://database; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
""")
    command = [program("nginx"), "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    with Server(command, port, folder / "nginx.out", {}) as server:
        server.wait_ready("/ready")
        yield server
