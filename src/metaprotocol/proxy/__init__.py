"""The proxy: messages of every protocol that has a codec, routed, balanced and handed on by a native data path.

    proxy = Proxy("bootstrap.yaml")
    async with proxy.running():
        ...

Configured as Envoy and MetaProtocol Proxy are (`metaprotocol.xds`). Needs the extra `proxy`
(`pip install metaprotocol[proxy]`).
"""

from metaprotocol.proxy._filters import Filter, Message
from metaprotocol.proxy._proxy import Proxy

__all__ = ["Filter", "Message", "Proxy"]
