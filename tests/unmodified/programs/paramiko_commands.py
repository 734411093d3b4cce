"""paramiko, client and server with their threads: passwords, commands, a key that is wrong."""

import logging
import socket
import threading
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of algorithms that cryptography is about to leave
    import paramiko

logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

HOST_KEY, OTHER_KEY = paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)
TEXT = b"to be shouted " * 500


class Shell(paramiko.ServerInterface):
    """Knows one command, which shouts what it is told."""

    def check_auth_password(self, username, password):
        is_known = (username, password) == ("ada", "enchantress")
        return paramiko.AUTH_SUCCESSFUL if is_known else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        if command == b"shout":
            threading.Thread(target=self.shout, args=(channel,), daemon=True).start()
        return command == b"shout"

    def shout(self, channel):
        with channel.makefile("rb") as lines:
            channel.sendall(lines.read().upper())
        channel.send_exit_status(3)
        channel.close()


def serve():
    with socket.create_server(("", 22)) as listening:
        while True:
            sock, _ = listening.accept()
            transport = paramiko.Transport(sock)
            transport.add_server_key(HOST_KEY)
            transport.start_server(threading.Event(), Shell())


def connected(key):
    client = paramiko.SSHClient()
    client.get_host_keys().add("server", "ssh-rsa", key)
    return client


def use():
    with connected(HOST_KEY) as client:
        try:
            client.connect("server", username="ada", password="wrong", look_for_keys=False, allow_agent=False)
        except paramiko.AuthenticationException:
            refused = True
    with connected(HOST_KEY) as client:
        client.connect(
            "server", username="ada", password="enchantress", look_for_keys=False, allow_agent=False
        )
        stdin, stdout, _ = client.exec_command("shout")
        stdin.write(TEXT)
        stdin.channel.shutdown_write()
        shouted = stdout.read(), stdout.channel.recv_exit_status()
        try:
            client.exec_command("whisper")
        except paramiko.SSHException as error:
            return refused, shouted, str(error)


def distrust():
    with connected(OTHER_KEY) as client:
        try:
            client.connect("server", username="ada", password="enchantress", look_for_keys=False)
        except paramiko.BadHostKeyException as error:
            return error.hostname


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    using = network.host("client").spawn(use)
    distrusting = network.host("stranger").spawn(distrust)
    network.run(until="60s")  # the server has heard of the end by then
    assert using.result == (True, (TEXT.upper(), 3), "Channel closed.")
    assert distrusting.result == "server"
