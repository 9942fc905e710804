"""Exit code 0 when the server of this container answers its metadata, else 1, with the reason on stderr."""

import json
import os
import sys
import urllib.request


def main() -> int:
    port = os.environ.get("TERMINOLOGY_PORT", "8080")
    prefix = os.environ.get("TERMINOLOGY_URL_PREFIX", "/fhir").rstrip("/")
    url = f"http://127.0.0.1:{port}{prefix}/r4/metadata"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=4) as response:
            kind = json.load(response).get("resourceType")
    except (OSError, ValueError) as trouble:
        print(f"{url}: {trouble}", file=sys.stderr)
        return 1
    if kind != "CapabilityStatement":
        print(f"{url}: answered a {kind}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
