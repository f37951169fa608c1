"""A server of files on loopback that can break off, go on where it broke off, or refuse."""

import contextlib
import http.server
import re
import threading


class Server(http.server.ThreadingHTTPServer):
    """`answers` are the files by path; `asked` lists the requests as (path, first byte).

    cuts: After so many bytes of an answer the connection breaks: one number a request, then no more breaks.
    ranges: Whether it can go on where it broke off.
    """

    def __init__(self, answers: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.cuts, self.ranges = answers, [], [], True
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, body = self.server, self.server.answers.get(self.path)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        server.asked.append((self.path, first))
        if body is None:
            return self.send_error(404)
        if first and server.ranges:
            if first >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            body = body[first:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(answers: dict[str, bytes]):
    """A server that runs while the block does."""
    with Server(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
