"""bottle on the server of wsgiref that is its default: routes, JSON, a cookie, an error."""

import json
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import bottle

shop = bottle.Bottle()


@shop.get("/loaves/<count:int>")
def loaves(count):
    visits = int(bottle.request.get_cookie("visits", "0")) + 1
    bottle.response.set_cookie("visits", str(visits))
    return {"loaves": count, "visits": visits}


@shop.post("/order")
def order():
    if bottle.request.json["count"] > 10:
        bottle.abort(409, "not so many")
    return {"ordered": bottle.request.json["count"]}


def serve():
    bottle.run(shop, host="0.0.0.0", port=80, quiet=True)


def ask():
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    answers = []
    for _ in range(3):
        with opener.open("http://server.example/loaves/7", timeout=60) as answer:
            answers.append(json.load(answer))
    for count in (3, 30):
        headers = {"Content-Type": "application/json"}
        wanted = urllib.request.Request(
            "http://server.example/order", json.dumps({"count": count}).encode(), headers
        )
        try:
            with opener.open(wanted, timeout=60) as answer:
                answers.append(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                answers.append(error.code)
    return answers


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.names.alias("server.example", "server")
    network.run(until="1s")
    asking = network.host("client").spawn(ask)
    network.run()
    visits = [{"loaves": 7, "visits": number} for number in (1, 2, 3)]
    assert asking.result == [*visits, {"ordered": 3}, 409]
