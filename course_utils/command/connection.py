"""How the server of JupyterLab answers a learner's browser: at once. Only that server imports this; `lab` names it."""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The connection of a browser with its kernel, whose messages are sent as soon as they are there.

    To one move of an explorer a kernel sends three small messages: it is busy, the answer, it is idle. By default the
    system holds the second one back until the browser's machine has confirmed the first, which that puts off for up to
    40 milliseconds, in the hope of sending fewer packets (Nagle's algorithm, RFC 896). So a drag stutters. TCP_NODELAY
    turns that off: measured through `benchmarks/hub.py`, a move took 52 ms before and 5 ms with it.

    Example:
        >>> from course_utils.command import lab
        >>> f"--ServerApp.kernel_websocket_connection_class={lab.CONNECTION}" in lab.command(lab.Path("work"))
        True
        >>> lab.CONNECTION == f"{PromptConnection.__module__}.{PromptConnection.__name__}"
        True
    """

    def connect(self):
        """Connect the browser with the kernel; what comes of it is jupyter_server's own affair."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()
