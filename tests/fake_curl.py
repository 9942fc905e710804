"""What of curl the documentation uses, so that its tests need Python alone."""

import sys

CURL = f"""#!{sys.executable}
import argparse, pathlib, sys, urllib.error, urllib.request
from urllib.parse import quote, urlencode
options = argparse.ArgumentParser()
options.add_argument("url")
options.add_argument("-s", action="store_true")
options.add_argument("-i", action="store_true")
options.add_argument("-G", action="store_true")
options.add_argument("-X")
options.add_argument("-o")
options.add_argument("-w")
options.add_argument("-H", action="append", default=[])
options.add_argument("-d", action="append", default=[])
options.add_argument("--data-urlencode", action="append", default=[])
options.add_argument("--data-binary")
given = options.parse_args()
encoded = ["=".join((name, quote(value))) for name, _, value in (each.partition("=") for each in given.data_urlencode)]
data = "&".join([*given.d, *encoded])
url, body = (f"{{given.url}}?{{data}}", None) if given.G else (given.url, data.encode() or None)
if given.data_binary:
    body = pathlib.Path(given.data_binary.removeprefix("@")).read_bytes()
headers = dict(each.split(": ", 1) for each in given.H)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
try:
    answer = opener.open(urllib.request.Request(url, body, headers, method=given.X))
except urllib.error.HTTPError as error:
    answer = error
text = answer.read().decode()
if given.i:
    head = [f"HTTP/1.1 {{answer.status}} {{answer.reason}}", *(": ".join(each) for each in answer.headers.items())]
    text = "\\r\\n".join((*head, "", text))
if given.o:
    pathlib.Path(given.o).write_text(text)
else:
    sys.stdout.write(text)
if given.w:
    sys.stdout.write(given.w.replace("%{{http_code}}", str(answer.status)).replace("\\\\n", "\\n"))
"""
