"""The benchmark: this backend and hand-written FastAPI, doing the same work at the same time on the same machine."""
