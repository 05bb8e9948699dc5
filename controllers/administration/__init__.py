"""The `admin` controller: all indexes, caches, dumps and the end of the router."""
