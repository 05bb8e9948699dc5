"""The API as documents, made from the action table: OpenAPI for HTTP, AsyncAPI for the others."""
