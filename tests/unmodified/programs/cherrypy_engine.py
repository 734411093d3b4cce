"""CherryPy: its engine, its tree of pages, JSON both ways; and an end by the engine's exit."""

import http.client
import json
import logging

import cherrypy

cherrypy.log.screen = False
logging.getLogger("cherrypy").setLevel(logging.CRITICAL)


class Shop:
    def __init__(self):
        self.sold = {}

    @cherrypy.expose
    @cherrypy.tools.json_in()
    @cherrypy.tools.json_out()
    def buy(self, who):
        self.sold[who] = self.sold.get(who, 0) + cherrypy.request.json["count"]
        return {"sold": self.sold[who]}

    @cherrypy.expose
    def closed(self):
        raise cherrypy.HTTPError(503, "not on Sundays")


def serve():
    cherrypy.config.update(
        {
            "server.socket_host": "0.0.0.0",
            "server.socket_port": 80,
            "server.thread_pool": 3,
            "engine.autoreload.on": False,
            "checker.on": False,
        }
    )
    cherrypy.tree.mount(Shop())
    cherrypy.engine.start()
    cherrypy.engine.block()


def ask(who):
    connection = http.client.HTTPConnection("server", timeout=60)
    counts = []
    for count in (1, 2, 3):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/buy?who={who}", json.dumps({"count": count}), headers)
        counts.append(json.loads(connection.getresponse().read())["sold"])
    connection.request("GET", "/closed")
    closed = connection.getresponse()
    is_told = b"not on Sundays" in closed.read()
    connection.close()
    return counts, closed.status, is_told


def run(network):
    server = network.host("server")
    serving = server.spawn(serve, daemon=True)
    network.run(until="5s")
    asking = [network.host("client").spawn(ask, who) for who in ("ann", "bob")]
    network.run(until=lambda: not any(each.is_alive for each in asking))
    for each in asking:
        assert each.result == ([1, 3, 6], 503, True)
    server.spawn(cherrypy.engine.exit)
    serving.join()
