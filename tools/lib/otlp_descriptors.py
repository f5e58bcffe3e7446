"""Turn the PyPI wheel `opentelemetry-proto` into a FileDescriptorSet that protoc and protobuf-c accept.

    otlp_descriptors.py WHEEL OUT.pb    writes the set, prints the .proto names in it, one a line

The wheel's *_pb2.py modules carry each serialized FileDescriptorProto as a bytes literal; it is read from the
syntax tree, so neither the modules nor a protobuf runtime are ever loaded.

Debian 12's protobuf-c refuses proto3 `optional` fields. In a descriptor such a field is a member of a oneof of
its own and carries proto3_optional = true. Without that flag it is a plain one-member oneof: the same bytes on
the wire, and presence is still visible (as the oneof's case), so the flag is dropped.

protobuf-c gives a string as a NUL-terminated pointer, which cuts a text with a NUL byte short and makes every
reader measure it again. `string` and `bytes` are the same on the wire, so every string field is declared as bytes:
pointer and length.
"""
import ast
import sys
import zipfile

FILES = [  # dependencies first
    "common/v1/common",
    "resource/v1/resource",
    "logs/v1/logs",
    "trace/v1/trace",
    "metrics/v1/metrics",
    "collector/logs/v1/logs_service",
    "collector/trace/v1/trace_service",
    "collector/metrics/v1/metrics_service",
]

FILE_MESSAGE_TYPE, MESSAGE_FIELD, MESSAGE_NESTED_TYPE, FIELD_TYPE, FIELD_PROTO3_OPTIONAL = 4, 2, 3, 5, 17
TYPE_STRING, TYPE_BYTES = b"\x09", b"\x0c"


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def write_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def rewrite(data, change):
    """Copy a message; change(number, wire_type, payload) answers the payload to write or None to drop it."""
    out, at = bytearray(), 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            start = at
            _, at = read_varint(data, at)
            payload = data[start:at]
        elif wire_type == 2:
            size, at = read_varint(data, at)
            payload = data[at : at + size]
            at += size
        else:
            raise ValueError(f"unexpected wire type {wire_type} in a descriptor")
        payload = change(number, wire_type, payload)
        if payload is not None:
            out += write_varint(tag)
            out += write_varint(len(payload)) + payload if wire_type == 2 else payload
    return bytes(out)


def plain_field(number, wire_type, payload):
    if number == FIELD_TYPE and payload == TYPE_STRING:
        return TYPE_BYTES
    return None if number == FIELD_PROTO3_OPTIONAL else payload


def plain_message(number, wire_type, payload):
    if number == MESSAGE_FIELD:
        return rewrite(payload, plain_field)
    if number == MESSAGE_NESTED_TYPE:
        return rewrite(payload, plain_message)
    return payload


def plain_file(number, wire_type, payload):
    return rewrite(payload, plain_message) if number == FILE_MESSAGE_TYPE else payload


def serialized_descriptor(module_text):
    for node in ast.walk(ast.parse(module_text)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            return node.args[0].value
    raise ValueError("no serialized descriptor in the module")


def main():
    wheel, out_path = sys.argv[1:]
    out = bytearray()
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            text = archive.read(f"opentelemetry/proto/{name}_pb2.py")
            descriptor = rewrite(serialized_descriptor(text), plain_file)
            out += b"\x0a" + write_varint(len(descriptor)) + descriptor
            print(f"opentelemetry/proto/{name}.proto")
    with open(out_path, "wb") as file:
        file.write(out)


if __name__ == "__main__":
    main()
