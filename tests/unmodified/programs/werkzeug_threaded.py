"""werkzeug's server with a thread for each connection, asked by urllib3."""

import json
import logging

import urllib3
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

logging.getLogger("werkzeug").setLevel(logging.CRITICAL)

ROUTES = Map([Rule("/loaves/<int:count>", endpoint="loaves"), Rule("/form", endpoint="form")])


@Request.application
def application(request):
    try:
        endpoint, arguments = ROUTES.bind_to_environ(request.environ).match()
    except HTTPException as error:
        return error
    if endpoint == "form":
        upload = request.files["letter"]
        return Response(json.dumps([request.form["name"], upload.filename, len(upload.read())]))
    return Response(("loaf " * 100 for _ in range(arguments["count"])), mimetype="text/plain")


def serve():
    make_server("0.0.0.0", 80, application, threaded=True).serve_forever()


def ask():
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        loaves = pool.request("GET", "http://server/loaves/20").data
        absent = pool.request("GET", "http://server/absent")
        fields = {"name": "ada", "letter": ("engine.txt", b"cards " * 1000)}
        form = pool.request("POST", "http://server/form", fields=fields)
        return loaves, (absent.status, NotFound.description.encode() in absent.data), form.json()


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    asking = [network.host("client").spawn(ask) for _ in range(2)]
    network.run()
    for each in asking:
        assert each.result == (b"loaf " * 2000, (404, True), ["ada", "engine.txt", 6000])
