"""The queue's page: what came in, looked at and decided on in a browser, on this machine unless told otherwise."""
