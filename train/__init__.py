"""The offline jobs: each composes its configuration, instantiates, calls the library, and logs."""
