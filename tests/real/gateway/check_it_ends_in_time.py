"""Asked to end, the exporter does so in time and well, whatever is under way: a stream, a call that the cloud never
begins to answer, and traces for a collector that never answers."""

import json
import signal
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import grpc

from kit.deadline import wait_until
from kit.exporter import Exporter, accepts, simulate
from kit.programs import BINARY, main, new_folder, start
from kit.scenarios import A_LONG_RUN
from kit.web import free_port

# What `serve` gives itself, with what a busy machine may take beside.
GRACE_SECONDS = 8
SLACK_SECONDS = 1


class Cloud(grpc.GenericRpcHandler):
    """Begins a stream and goes on for ever, and never begins any other answer."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.is_over = threading.Event()

    def service(self, details):
        name = details.method.rpartition("/")[2]

        def stream(request, context):
            self.asked.add(name)
            yield b"first"
            self.is_over.wait()

        def silence(request, context):
            self.asked.add(name)
            self.is_over.wait()
            return b""

        if name == "ReadLogs":
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(silence)


class TheEnd(unittest.TestCase):
    def cloud(self) -> tuple[Cloud, int]:
        cloud, server = Cloud(), grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((cloud,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(server.stop, 0)
        self.addCleanup(cloud.is_over.set)
        return cloud, port

    def silent_collector(self) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.addCleanup(listener.close)
        return listener.getsockname()[1]

    def test_comes_in_time_and_every_call_is_told(self) -> None:
        simulator, web, gateway = (free_port() for _ in range(3))
        simulate(self.addCleanup, A_LONG_RUN, simulator)
        cloud, datasphere = self.cloud()
        known = f"127.0.0.1:{simulator}"
        configuration = {
            "cloud": {
                "endpoint": known,
                "endpoints": {"operation": known, "iam": known, "datasphere": f"127.0.0.1:{datasphere}"},
                "tls": {"enabled": False},
                "auth": {"anonymous": {}},
            },
            "watch": {"interval": "1s", "interval_max": "1s", "operations": A_LONG_RUN.watch("1s")["operations"]},
            "gateway": {"listen_address": f"127.0.0.1:{gateway}"},
            "traces": {"endpoint": f"http://127.0.0.1:{self.silent_collector()}"},
            "storage": {"path": str(new_folder() / "data")},
        }
        file = new_folder() / "config.yaml"
        file.write_text(json.dumps(configuration))
        flags = [f"--config.file={file}", f"--web.listen-address=127.0.0.1:{web}"]
        exporter = Exporter(start(self.addCleanup, "serve", BINARY, "serve", *flags), web)
        exporter.wait_ready()
        wait_until("the gateway listens", lambda: accepts(gateway), 10)
        channel = grpc.insecure_channel(f"127.0.0.1:{gateway}")
        self.addCleanup(channel.close)
        service = "/yandex.cloud.datasphere.v2.jobs.ProjectJobService"
        stream = channel.unary_stream(f"{service}/ReadLogs")(b"")
        self.assertEqual(next(stream), b"first")
        call = channel.unary_unary(f"{service}/Get").future(b"")
        wait_until("the cloud was asked", lambda: {"ReadLogs", "Get"} <= cloud.asked, 10)
        begun = time.monotonic()
        code = exporter.program.end(signal.SIGTERM)
        took = time.monotonic() - begun
        self.assertEqual(code, 0, exporter.program)
        self.assertLess(took, GRACE_SECONDS + SLACK_SECONDS)
        print(f"ended after {took:.1f} s")
        for ended in (stream, call):
            self.assertEqual(ended.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("datasphere-exporter gateway", ended.details())


if __name__ == "__main__":
    main()
