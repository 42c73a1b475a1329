"""The unmodified official clients without TLS: plain.py SCRIPT ARGUMENT…

Neither the command line nor the SDK has a switch for it, so gRPC's own secure channels are made plain ones before the
script runs. What a channel's credentials would add to each call is added by an interceptor instead.
"""

import runpy
import sys
import threading
import types

import grpc


class Tokens(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """The SDK's own plugin for tokens, asked before each call."""

    def __init__(self, plugin) -> None:
        self.plugin = plugin

    def details(self, details):
        told, found = threading.Event(), []

        def tell(metadata, error) -> None:
            found.extend(metadata if error is None else ())
            told.set()

        # It may answer from a thread of its own.
        service = details.method.rpartition("/")[0]
        self.plugin(types.SimpleNamespace(service_url=f"https://gateway{service}"), tell)
        told.wait(30)
        return details._replace(metadata=[*(details.metadata or ()), *found])

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(self.details(details), request)

    def intercept_unary_stream(self, continuation, details, request):
        return continuation(self.details(details), request)


class Plain:
    """Credentials of a channel that has none but a plugin."""

    def __init__(self, plugin=None) -> None:
        self.plugin = plugin


def channel(target, credentials, options=None, compression=None):
    plain = grpc.insecure_channel(target, options, compression)
    if isinstance(credentials, Plain) and credentials.plugin is not None:
        return grpc.intercept_channel(plain, Tokens(credentials.plugin))
    return plain


grpc.secure_channel = channel
grpc.ssl_channel_credentials = lambda *_, **__: Plain()
grpc.metadata_call_credentials = lambda plugin, name=None: Plain(plugin)
grpc.composite_channel_credentials = lambda _, plugin: plugin

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
