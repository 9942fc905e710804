"""What a request costs over HTTP: cold, hot, and beside a bare Flask route that answers the same bytes.

Everything runs in this process through Flask's test client, turn by turn, so that the difference is our code and not
the network. Cold: every request has a query string that was never seen. Hot: the same request again. The answers of
both are made anew: nothing is cached between requests but compiled content.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import count

from flask import Flask, Response
from flask.testing import FlaskClient

from terminology.service import create_app

CPT = "http://www.ama-assn.org/go/cpt"
HARVEST = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest"
REQUESTS = {
    "$lookup": f"CodeSystem/$lookup?system={CPT}&code=38232",
    "$validate-code, code system": f"CodeSystem/$validate-code?url={CPT}&code=38232",
    "$validate-code, value set": f"ValueSet/$validate-code?url={HARVEST}&system={CPT}&code=38230",
    "$expand": f"ValueSet/$expand?url={HARVEST}",
    "$subsumes": f"CodeSystem/$subsumes?system={CPT}&codeA=38230&codeB=38232",
    "read": "CodeSystem?url=" + CPT,
}


def bare(body: bytes) -> FlaskClient:
    """An app whose one route gives these bytes."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: Response(body, content_type="application/fhir+json; charset=utf-8"))
    return app.test_client()


def timed(call: Callable[[], object], times: int) -> float:
    """Microseconds of processor time of one call."""
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--calls", type=int, default=50)
    stated = options.parse_args()
    ours = create_app().test_client()
    unseen = count(1)
    print(f"{'processor microseconds a request':<40}{'bare Flask':>12}{'hot':>10}{'cold':>10}{'cold / bare':>13}")
    for fhir in ("r4", "r5"):
        for name, path in REQUESTS.items():
            url = f"/fhir/{fhir}/{path}"
            answer = ours.get(url)
            if answer.status_code != 200:
                raise SystemExit(f"{url}: {answer.status_code} {answer.text}")
            plain = bare(answer.data)
            ways: dict[str, Callable[[], object]] = {
                "bare": lambda plain=plain: plain.get("/"),  # type: ignore[misc]
                "hot": lambda url=url: ours.get(url),  # type: ignore[misc]
                "cold": lambda url=url: ours.get(f"{url}&_unseen={next(unseen)}"),  # type: ignore[misc]
            }
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(stated.rounds):
                for way, call in ways.items():
                    taken[way].append(timed(call, stated.calls))
            found = {way: statistics.median(values) for way, values in taken.items()}
            cells = f"{found['bare']:>12,.0f}{found['hot']:>10,.0f}{found['cold']:>10,.0f}"
            print(f"{fhir} {name:<37}{cells}{found['cold'] / found['bare']:>12.1f}x", flush=True)


if __name__ == "__main__":
    main()
