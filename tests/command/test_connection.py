"""What a kernel says is sent at once."""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.websocket import WebSocketHandler

from course_utils.command.connection import PromptConnection


def test_a_connection_sends_each_message_at_once_and_then_connects_as_ever(monkeypatch):
    done = []
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: done.append("connected") or "future")
    monkeypatch.setattr(WebSocketHandler, "set_nodelay", lambda self, value: done.append(value))
    handler = KernelWebsocketHandler.__new__(KernelWebsocketHandler)  # the handler that jupyter_server gives it
    connection = PromptConnection.__new__(PromptConnection)
    connection.set_trait("websocket_handler", handler)
    assert connection.connect() == "future"
    assert done == [True, "connected"]
