"""The HTTP API over one collection: a recommender that follows the collection's current release, behind FastAPI."""
