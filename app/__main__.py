"""Serve the web page and the JSON API with the model that the pipeline exported.

Reads   models/exported/, models/tokenizers/, metrics/

    python -m app --host 0.0.0.0 --port 7860    (make serve)

Environment variables set limits (app/settings.py). SIGHUP (not on Windows) reloads the model, after `dvc checkout`,
without dropping a request; SIGTERM lets the accepted requests finish.
"""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from app.settings import Settings
from sentiment.core.errors import UserError
from sentiment.core.openmp import wait_briefly


def main() -> None:
    parser = ArgumentParser("app", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for every network (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=7860, help="7860 if not given")
    arguments = parser.parse_args()
    settings = Settings.of(os.environ)
    wait_briefly()

    # The page's library must not call home, and progress bars have no place among the logs.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")

    from app.server import serve

    serve(settings, arguments.host, arguments.port)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"app: error: {error}")
