"""The recommender: spaces, their indexes and the catalog of one release -> ranked items. numpy and the index only."""
