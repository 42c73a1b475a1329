"""Readers of the four formats, none of them ours: the parsers of `prometheus_client` and protobuf's own."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_tools import protoc
from prometheus_client import parser as text
from prometheus_client.openmetrics import parser as openmetrics

from kit.exposition import Exposition, Family, Native, series

PROTO = Path(__file__).resolve().parents[3] / "proto"
METRICS_PROTO = "io/prometheus/client/metrics.proto"

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


def read(content_type: str, body: bytes) -> Exposition:
    """Reads a body as its content type says."""
    if content_type.startswith("application/vnd.google.protobuf"):
        return read_protobuf(body)
    lines = openmetrics if content_type.startswith("application/openmetrics-text") else text
    found = Exposition()
    for family in lines.text_string_to_metric_families(body.decode()):
        name = family.name + "_total" if family.type == "counter" else family.name
        found.declare(name, Family(family.type, family.documentation, family.unit))
        for sample in family.samples:
            if sample.timestamp is not None:
                raise ValueError(f"{sample.name} carries a timestamp")
            found.add(sample.name, sample.labels, sample.value)
    return found


def read_protobuf(body: bytes) -> Exposition:
    found = Exposition()
    for family in delimited(body):
        kinds = family.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
        found.declare(family.name, Family(kinds[family.type].name.lower(), family.help, family.unit))
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            if len(labels) != len(metric.label) or metric.HasField("timestamp_ms"):
                raise ValueError(f"a label twice, or a timestamp: {metric}")
            if metric.HasField("histogram"):
                add_histogram(found, family.name, labels, metric.histogram)
            else:
                value = metric.counter if metric.HasField("counter") else metric.gauge
                found.add(family.name, labels, value.value)
    return found


def add_histogram(found: Exposition, name: str, labels: dict[str, str], histogram: Message) -> None:
    """The classic side as the series that a server makes of it, and the native side beside it."""
    for bucket in histogram.bucket:
        found.add(f"{name}_bucket", labels | {"le": bound(bucket.upper_bound)}, bucket.cumulative_count)
    if not histogram.bucket or histogram.bucket[-1].upper_bound != float("inf"):
        found.add(f"{name}_bucket", labels | {"le": "+Inf"}, histogram.sample_count)
    found.add(f"{name}_sum", labels, histogram.sample_sum)
    found.add(f"{name}_count", labels, histogram.sample_count)
    if histogram.HasField("schema"):
        native = Native(histogram.sample_count, histogram.sample_sum, tuple(native_buckets(histogram)))
        found.natives[series(name, labels)] = native


def native_buckets(histogram: Message) -> Iterator[tuple[float, float, float]]:
    """Buckets that hold something, from spans and deltas; bucket i ends at 2 to the power of i / 2^schema."""
    if histogram.negative_span or histogram.negative_delta:
        raise ValueError("a duration below zero")
    if histogram.zero_count:
        yield -histogram.zero_threshold, histogram.zero_threshold, float(histogram.zero_count)
    deltas = iter(histogram.positive_delta)
    index, count = 0, 0
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            if count:
                step = 2.0**-histogram.schema
                yield 2 ** ((index - 1) * step), 2 ** (index * step), float(count)
            index += 1
    if next(deltas, None) is not None:
        raise ValueError("more deltas than the spans are long")


def bound(value: float) -> str:
    """A bucket's bound as Prometheus writes it: always with a point."""
    return "+Inf" if value == float("inf") else repr(value)


def delimited(body: bytes) -> Iterator[Message]:
    """The messages of a stream, each behind its length as a varint."""
    at = 0
    while at < len(body):
        length, shift = 0, 0
        while True:
            byte = body[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        if at + length > len(body):
            raise ValueError("the stream ends within a message")
        family = metric_family()()
        family.ParseFromString(body[at : at + length])
        family.DiscardUnknownFields()
        if family.ByteSize() != length:
            raise ValueError(f"{family.name} has fields that nobody knows")
        yield family
        at += length


@cache
def metric_family() -> type[Message]:
    """The class that protobuf makes of the declared `MetricFamily`."""
    with tempfile.NamedTemporaryFile() as out:
        included = Path(protoc.__file__).parent / "_proto"
        arguments = ["protoc", f"-I{PROTO}", f"-I{included}", "--include_imports"]
        if protoc.main([*arguments, f"--descriptor_set_out={out.name}", METRICS_PROTO]):
            raise RuntimeError(f"{METRICS_PROTO} does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("io.prometheus.client.MetricFamily"))
