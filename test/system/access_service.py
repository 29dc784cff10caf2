"""A service of an operator that says who may come in and do what, over HTTP."""
import http.server
import json
import ssl
import threading


class AccessService:
    """allow: called with the parsed question, returns a status; None holds the answer back, and 0
    closes without one."""

    def __init__(self):
        self.questions = []
        self.allow = lambda question: 200
        self.held = threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                question = json.loads(self.rfile.read(size))
                assert self.headers["Content-Type"] == "application/json"
                question["path"] = self.path
                service.questions.append(question)
                status = service.allow(question)
                if status == 0:
                    self.close_connection = True
                    return
                if status is None:
                    service.held.wait(30)
                    status = 200
                try:
                    self.send_response(status)
                    if status in (301, 302):
                        self.send_header("Location", f"{service.url}/elsewhere")
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *arguments):
                pass

        class Service(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self.server = Service(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def use_tls(self, identity):
        """identity: the paths of a certificate and its key. Before the first question."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        # The handshake is of the thread that reads, so that one that fails ends only itself.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()

    def asked(self, path):
        return [question for question in self.questions if question["path"] == path]
