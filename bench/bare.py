"""What everything is compared with: a Flask app whose one route gives 600 constant bytes."""

from flask import Flask, Response

_HEAD, _TAIL = b'{"resourceType":"Parameters","parameter":[{"name":"name","valueString":"', b'"}]}'
BODY = _HEAD + b"x" * (600 - len(_HEAD) - len(_TAIL)) + _TAIL

app = Flask(__name__, static_folder=None)


@app.route("/", methods=["GET", "POST"])
def answer() -> Response:
    return Response(BODY, content_type="application/fhir+json; charset=utf-8")
