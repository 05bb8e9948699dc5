"""The engine for more than one router: documents in an OpenSearch that runs elsewhere."""
