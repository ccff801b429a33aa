"""How streams of well-known protocols begin, for codecs to leave alone."""

from __future__ import annotations

__all__ = ["OTHERS"]

OTHERS = {
    "HTTP/1": b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "HTTP/1 post": b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1 response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Redis": b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
    "Redis response": b"+OK\r\n",
    "MySQL": b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0" + b"salt" * 8,
    "PostgreSQL": b"\0\0\0\x54\0\x03\0\0user\0postgres\0database\0test\0\0" + b"x" * 40,
    "Kafka": b"\0\0\0\x23\0\x12\0\x03\0\0\0\x01\0\x0aclient-app\0\x0aclient-app\x061.0.0\0",
    "MongoDB": b"\x39\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0" + bytes(41),
    "AMQP": b"AMQP\0\0\x09\x01",
    "MQTT": b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test",
    "memcached": b"get some-key\r\n",
    "memcached binary": b"\x80\x00\0\x03\0\0\0\0\0\0\0\x03" + bytes(12) + b"key",
    "SMTP": b"220 mail.example.org ESMTP\r\n",
    "ZooKeeper": b"\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x75\x30" + bytes(28),
    "brpc": b"PRPC\0\0\0\x20\0\0\0\x10" + bytes(32),
    "tRPC": b"\x09\x30\0\0\0\0\0\x40\0\x20\0\0\0\x01\0\0" + bytes(48),
    "zeros": bytes(256),
    "ones": b"\xff" * 256,
    "text": b"the quick brown fox jumps over the lazy dog " * 6,
}
